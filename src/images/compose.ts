import { renameSync, rmdirSync } from 'node:fs'
import type { ContentStore } from '../content/index.js'
import { JubakoError } from '../errors/index.js'
import {
  type ChainId,
  chainIds,
  type Descriptor,
  type DiffId,
  digestOf,
  formatReference,
  type ImageId,
  layerCompression,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
  parseImageConfig,
  type Reference,
} from '../oci/index.js'
import { readDocument } from './document.js'
import type { LayerStore } from './layer-store.js'
import { blob, type Lease, layer } from './lease.js'
import type { ImageRecord, Records, ReferenceRecord } from './records.js'
import type { PackedLayer } from './types.js'

/** Files that become a layer: a snapshot, which stays, or a directory below `ingest`, which is moved. */
export type LayerFiles = { snapshot: string } | { directory: string }

export interface ComposeOptions {
  /** What the new layers lie on; undefined: nothing. */
  base?: ImageId | undefined
  /** Lowest first. */
  layers: readonly { files: LayerFiles; packed: PackedLayer }[]
  /** The image configuration for these diffIDs, lowest first. */
  config: (diffIds: DiffId[]) => Uint8Array
  reference?: Reference | undefined
  signal?: AbortSignal | undefined
}

export interface ComposeParts {
  content: ContentStore
  layers: LayerStore
  records: Records
  lease: Lease
  assign: (record: ReferenceRecord) => Promise<void>
}

/**
 * Makes an image of an image and of layers that are directories. No archive is stored: the manifest names each new layer
 * as the uncompressed stream that it is, which `materialize` makes when somebody needs it. When this returns the image
 * is complete, durable and recorded.
 */
export async function composeImage(parts: ComposeParts, options: ComposeOptions): Promise<ImageId> {
  const { content, records, lease } = parts
  const base = options.base === undefined ? undefined : await baseOf(parts, options.base)
  const diffIds = [...(base?.diffIds ?? []), ...options.layers.map(({ packed }) => packed.diffId as DiffId)]
  const stack = chainIds(diffIds)
  const config = Buffer.from(options.config(diffIds))
  const parsed = parseImageConfig(config, 'the new configuration')
  const layers = [...(base?.layers ?? []), ...options.layers.map(({ packed }) => tarDescriptor(packed))]
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
      layers,
    }),
  )
  const imageId = digestOf(config) as ImageId
  const target: Descriptor = { mediaType: OCI_MANIFEST, digest: digestOf(manifest), size: manifest.length }
  const all = [target.digest, imageId, ...layers.map(({ digest }) => digest)]
  await lease.protect([...all.map(blob), ...stack.map(layer)], options.signal)
  await placeLayers(parts, options, stack, diffIds)
  await content.put(config)
  await content.put(manifest)
  const record: ImageRecord = records.image(imageId) ?? {
    imageId,
    manifest: target,
    platform: parsed.platform,
    chainIds: stack,
    content: [...new Set(all)],
    createdAt: Date.parse(parsed.created ?? '') || 0,
    size: stack.reduce((sum, chainId) => sum + (parts.layers.read(chainId)?.size ?? 0), 0),
    labels: parsed.config.Labels ?? {},
  }
  await records.writeImage(record)
  if (options.reference !== undefined) {
    await parts.assign({
      reference: formatReference(options.reference),
      imageId,
      target: record.manifest,
      manifest: record.manifest.digest,
      content: record.content,
      updatedAt: Date.now(),
    })
  }
  return imageId
}

async function baseOf({ content, records, lease }: ComposeParts, id: ImageId) {
  const image = records.image(id)
  if (image === undefined) {
    throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `No such image: ${id}`, {
      path: id,
      hint: 'the image was removed: pull it again',
    })
  }
  await lease.protect([...image.content.map(blob), ...image.chainIds.map(layer)])
  const manifest = await readDocument(content, image.manifest, `image ${id}`)
  const config = parseImageConfig(await content.read(id, 2 ** 23), `configuration ${id}`)
  return {
    diffIds: config.diffIds,
    layers: manifest.kind === 'manifest' ? manifest.layers.map(ociLayer) : [],
  }
}

/** Layers of a Docker manifest are the same bytes under another name. */
function ociLayer({ mediaType, digest, size }: Descriptor): Descriptor {
  const compression = layerCompression(mediaType)
  const own = { none: OCI_LAYER, gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD }
  return { mediaType: compression === undefined ? mediaType : own[compression], digest, size }
}

function tarDescriptor({ diffId, size }: PackedLayer): Descriptor {
  return { mediaType: OCI_LAYER, digest: diffId as DiffId, size }
}

async function placeLayers(
  { layers }: ComposeParts,
  options: ComposeOptions,
  stack: readonly ChainId[],
  diffIds: readonly DiffId[],
): Promise<void> {
  const first = stack.length - options.layers.length
  for (const [i, { files, packed }] of options.layers.entries()) {
    const chainId = stack[first + i]!
    const draft = await layers.begin(chainId, { signal: options.signal })
    if (draft === undefined) continue
    try {
      if ('snapshot' in files) {
        layers.fillFromSnapshot(draft, files.snapshot)
      } else {
        rmdirSync(draft.diff)
        renameSync(files.directory, draft.diff)
      }
      await layers.commit(
        [
          {
            draft,
            diffId: diffIds[first + i]!,
            unpacked: { size: packed.fileBytes, entries: packed.entries, implicitDirectories: [] },
            ...('snapshot' in files && { snapshot: files.snapshot }),
          },
        ],
        stack.slice(0, first + i + 1),
      )
    } catch (error) {
      await layers.abandon(draft)
      throw error
    }
  }
}
