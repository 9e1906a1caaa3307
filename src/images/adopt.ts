import { renameSync, rmdirSync } from 'node:fs'
import type { ContentStore } from '../content/index.js'
import { JubakoError } from '../errors/index.js'
import {
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
import type { FinishedDraft, LayerDraft, LayerStore } from './layer-store.js'
import { blob, type Lease, layer } from './lease.js'
import type { ImageRecord, Records, ReferenceRecord } from './records.js'

/** A layer of a built image. */
export interface BuiltLayer {
  diffId: DiffId
  /** Bytes of the tar stream, entries, bytes of files; of a layer of the base nothing. */
  size: number
  entries: number
  fileBytes: number
  /** Where its files are, unless the layer is here: they are moved. */
  directory: string | undefined
}

export interface BuiltImage {
  base: ImageId | undefined
  /** The configuration as it is stored. */
  config: Buffer
  /** Lowest first, those of the base too. */
  layers: readonly BuiltLayer[]
  references: readonly Reference[]
  /** Of the manifest. */
  annotations?: Readonly<Record<string, string>>
}

interface AdoptParts {
  content: ContentStore
  layers: LayerStore
  records: Records
  lease: Lease
  assign: (record: ReferenceRecord) => Promise<void>
}

/**
 * Makes an image of layers that are directories already. All of them become durable with one sync; no archive is stored.
 *
 * @throws JubakoError ERR_JUBAKO_NOT_FOUND when a layer went meanwhile
 */
export async function adoptImage(parts: AdoptParts, image: BuiltImage): Promise<ImageId> {
  const { content, records, lease } = parts
  const diffIds = image.layers.map(({ diffId }) => diffId)
  const stack = chainIds(diffIds)
  const base = image.base === undefined ? [] : await baseLayers(parts, image.base)
  const descriptors = image.layers.map(
    ({ diffId, size }, i): Descriptor => base[i] ?? { mediaType: OCI_LAYER, digest: diffId, size },
  )
  const config = { mediaType: OCI_CONFIG, digest: digestOf(image.config), size: image.config.length }
  const { annotations = {} } = image
  const annotated = Object.keys(annotations).length > 0
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config,
      layers: descriptors,
      ...(annotated && { annotations }),
    }),
  )
  const target: Descriptor = { mediaType: OCI_MANIFEST, digest: digestOf(manifest), size: manifest.length }
  const imageId = config.digest as ImageId
  const all = [...new Set([target.digest, config.digest, ...descriptors.map(({ digest }) => digest)])]
  await lease.protect([...all.map(blob), ...stack.map(layer)])
  await placeLayers(parts.layers, image.layers, stack)
  let record = records.image(imageId)
  if (record === undefined) {
    await content.put(image.config)
    await content.put(manifest)
    const parsed = parseImageConfig(image.config, 'the new configuration')
    record = {
      imageId,
      manifest: target,
      platform: parsed.platform,
      chainIds: stack,
      content: all,
      createdAt: Date.parse(parsed.created ?? '') || 0,
      size: stack.reduce((sum, chainId) => sum + (parts.layers.read(chainId)?.size ?? 0), 0),
      labels: parsed.config.Labels ?? {},
    } satisfies ImageRecord
    await records.writeImage(record)
  } else if (annotated && record.manifest.digest !== target.digest) {
    // The image is what it was; its names get the manifest that says more.
    await content.put(manifest)
    record = { ...record, manifest: target, content: all }
  }
  for (const reference of image.references) await name(parts, record, formatReference(reference), annotated)
  return imageId
}

async function name(
  { records, assign }: AdoptParts,
  record: ImageRecord,
  reference: string,
  again: boolean,
): Promise<void> {
  const now = records.reference(reference)
  if (now?.imageId === record.imageId && !again) return
  await assign({
    reference,
    imageId: record.imageId,
    target: record.manifest,
    manifest: record.manifest.digest,
    content: record.content,
    updatedAt: Date.now(),
  })
}

/** Layers of the base as its manifest names them; those of a Docker manifest under their OCI names. */
async function baseLayers({ content, records, lease }: AdoptParts, id: ImageId): Promise<Descriptor[]> {
  const image = records.image(id)
  if (image === undefined) throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `No such image: ${id}`, { path: id })
  await lease.protect([...image.content.map(blob), ...image.chainIds.map(layer)])
  const manifest = await readDocument(content, image.manifest, `image ${id}`)
  if (manifest.kind !== 'manifest') return []
  const own = { none: OCI_LAYER, gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD }
  return manifest.layers.map(({ mediaType, digest, size }) => {
    const compression = layerCompression(mediaType)
    return { mediaType: compression === undefined ? mediaType : own[compression], digest, size }
  })
}

async function placeLayers(
  store: LayerStore,
  layers: readonly BuiltLayer[],
  stack: ReturnType<typeof chainIds>,
): Promise<void> {
  const drafts: LayerDraft[] = []
  const finished: FinishedDraft[] = []
  try {
    for (const [i, { diffId, entries, fileBytes, directory }] of layers.entries()) {
      const draft = await store.begin(stack[i]!)
      if (draft === undefined) continue
      drafts.push(draft)
      if (directory === undefined) {
        throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `layer ${diffId} is not here any more`, {
          hint: 'an image was removed during the build: build again',
        })
      }
      rmdirSync(draft.diff)
      renameSync(directory, draft.diff)
      finished.push({ draft, diffId, unpacked: { size: fileBytes, entries, implicitDirectories: [] } })
    }
    await store.commit(finished, stack)
    drafts.length = 0
  } finally {
    for (const draft of drafts) await store.abandon(draft)
  }
}
