import {
  type Digest,
  documentKind,
  formatPlatform,
  type HistoryEntry,
  isDigest,
  isImageConfig,
  parseImageConfig,
} from '../../oci/index.js'
import type { HubParts } from '../call.js'
import { parseDocument } from '../manifests.js'

/** A step that made an image. */
export interface ShownStep {
  command: string
  /** undefined: it made no layer. */
  layer: { digest: string; size: number } | undefined
}

export interface ShownManifest {
  digest: string
  mediaType: string
  /** `os/arch[/variant]`, or what an artifact is. */
  platform: string
  /** Bytes of all that a pull brings. */
  size: number
  steps: ShownStep[]
  created: string | undefined
  command: string | undefined
}

interface Item {
  mediaType: string
  digest: Digest
  size: number
  platform?: { os?: string; architecture?: string; variant?: string }
}

const isItem = (value: unknown): value is Item => {
  const item = value as Partial<Item> | null
  return isDigest(item?.digest) && typeof item.size === 'number' && typeof item.mediaType === 'string'
}

const items = (value: unknown): Item[] => (Array.isArray(value) ? value.filter(isItem) : [])

/** Steps with the layers that they made; layers of which the history tells nothing are there all the same. */
function stepsOf(history: readonly HistoryEntry[], layers: readonly Item[]): ShownStep[] {
  const rest = [...layers]
  const steps = history.map(
    (step): ShownStep => ({
      command: step.created_by ?? '',
      layer: step.empty_layer ? undefined : rest.shift(),
    }),
  )
  return [...steps, ...rest.map((layer): ShownStep => ({ command: '', layer }))]
}

/** The manifests behind a digest, those of an index one by one. What is not here is left out. */
export async function describe(parts: HubParts, name: string, digest: Digest, depth = 0): Promise<ShownManifest[]> {
  const manifest = await parts.repositories.manifest(name, digest)
  if (manifest === undefined || depth > 2) return []
  const document = parseDocument(await parts.documents.read(digest))
  if (documentKind(manifest.mediaType) === 'index') {
    const shown: ShownManifest[] = []
    for (const item of items(document.manifests).slice(0, 64)) {
      const found = await describe(parts, name, item.digest, depth + 1)
      const { os = '', architecture = '' } = item.platform ?? {}
      const known =
        os !== '' && os !== 'unknown' ? { platform: formatPlatform({ ...item.platform, os, architecture }) } : {}
      shown.push(...found.map((it) => ({ ...it, ...(found.length === 1 && known) })))
    }
    return shown
  }
  const [config, layers] = [items([document.config])[0], items(document.layers)]
  const size = layers.reduce((sum, it) => sum + it.size, manifest.size + (config?.size ?? 0))
  const base = { digest, mediaType: manifest.mediaType, size, created: undefined, command: undefined }
  const plain = layers.map((layer): ShownStep => ({ command: layer.mediaType, layer }))
  if (config === undefined || !isImageConfig(config.mediaType)) {
    return [{ ...base, platform: manifest.artifactType ?? config?.mediaType ?? 'artifact', steps: plain }]
  }
  try {
    const parsed = parseImageConfig(await parts.documents.read(config.digest), 'configuration')
    const { Entrypoint, Cmd } = parsed.config
    return [
      {
        ...base,
        platform: formatPlatform(parsed.platform),
        created: parsed.created,
        command: [...(Entrypoint ?? []), ...(Cmd ?? [])].join(' ') || undefined,
        steps: stepsOf(parsed.history, layers),
      },
    ]
  } catch {
    // Of any media type, and anybody may have pushed it: the layers are there all the same.
    return [{ ...base, platform: 'unknown', steps: plain }]
  }
}
