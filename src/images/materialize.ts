import { setImmediate as immediate } from 'node:timers/promises'
import { type ContentStore, throwIfAborted } from '../content/index.js'
import { JubakoError } from '../errors/index.js'
import {
  type ChainId,
  type Descriptor,
  type DiffId,
  type Digest,
  DOCKER_LAYER_GZIP,
  DOCKER_LAYER_ZSTD,
  isDockerDocument,
  LIMITS,
  type Manifest,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  parseImageConfig,
  parseManifest,
} from '../oci/index.js'
import type { LayerStore } from './layer-store.js'
import type { Lease } from './lease.js'
import { reportLine } from './progress.js'
import type { Records, ReferenceRecord } from './records.js'
import type { LayerPacker, OperationOptions } from './types.js'

export interface MaterializeParts {
  content: ContentStore
  layers: LayerStore
  records: Records
  packer: () => LayerPacker
  lease: Lease
}

export interface CompressedLayer {
  descriptor: Descriptor
  /** Of the stream that was compressed. */
  diffId: DiffId
}

/**
 * Puts a layer's archive, made of its files, into the content store. The caller has leased every blob.
 *
 * @param docker whether the descriptor is for a manifest of Docker's
 */
export async function compressLayer(
  { content, layers, packer }: Pick<MaterializeParts, 'content' | 'layers' | 'packer'>,
  chainId: ChainId,
  options: { compression?: 'gzip' | 'zstd'; docker?: boolean; signal?: AbortSignal | undefined } = {},
): Promise<CompressedLayer> {
  const { compression = 'gzip', docker = false, signal } = options
  const ingest = content.ingestUnknown()
  try {
    const packed = await packer().pack({ directory: layers.directory(chainId), output: ingest.fd, compression, signal })
    const digest = await ingest.commitAs(packed.digest as Digest, packed.written)
    const mediaType = {
      gzip: docker ? DOCKER_LAYER_GZIP : OCI_LAYER_GZIP,
      zstd: docker ? DOCKER_LAYER_ZSTD : OCI_LAYER_ZSTD,
    }[compression]
    return { descriptor: { mediaType, digest, size: packed.written }, diffId: packed.diffId as DiffId }
  } finally {
    await ingest.abort()
  }
}

/**
 * The name with every blob of its image here: those that were never made, or were dropped, are made of the layers' files,
 * and a manifest for them. The image stays the same if its layers were made here. A layer that another tool archived may
 * give another stream: what goes out is then another image, and a line says so.
 */
export async function materialize(
  parts: MaterializeParts,
  record: ReferenceRecord,
  options: OperationOptions & { compression?: 'gzip' | 'zstd' } = {},
): Promise<ReferenceRecord> {
  const { content, records, lease } = parts
  const image = records.image(record.imageId)
  if (image === undefined || record.content.every((digest) => content.has(digest))) return record
  await lease.protect(['blob *'], options.signal)
  const bytes = await content.read(record.manifest, LIMITS.manifestBytes)
  const manifest = parseManifest(bytes, undefined, record.reference) as Manifest
  const config = await content.read(record.imageId, LIMITS.configBytes)
  const { diffIds } = parseImageConfig(config, `configuration ${record.imageId}`)
  const docker = isDockerDocument(manifest.mediaType)
  const layers: Descriptor[] = []
  const made: DiffId[] = []
  for (const [i, descriptor] of manifest.layers.entries()) {
    throwIfAborted(options.signal)
    await immediate()
    if (content.has(descriptor.digest)) {
      layers.push(descriptor)
      made.push(diffIds[i]!)
      continue
    }
    const layer = await compressLayer(parts, image.chainIds[i]!, { ...options, docker })
    layers.push(layer.descriptor)
    made.push(layer.diffId)
    const same = layer.diffId === diffIds[i]
    if (!same) reportLine(options.onProgress, `${diffIds[i]}: made again of its files, as ${layer.diffId}`)
  }
  const { config: named } = manifest
  const sameImage = made.every((diffId, i) => diffId === diffIds[i])
  const document = sameImage ? config : withDiffIds(config, made)
  const configDigest = sameImage ? record.imageId : await content.put(document)
  const own = Buffer.from(
    JSON.stringify({
      ...(JSON.parse(bytes.toString()) as object),
      config: { mediaType: named.mediaType, digest: configDigest, size: document.length },
      layers,
    }),
  )
  const target: Descriptor = { mediaType: manifest.mediaType, digest: await content.put(own), size: own.length }
  const complete = [...new Set([target.digest, configDigest, record.imageId, ...layers.map(({ digest }) => digest)])]
  const { repoDigest: _, ...rest } = record
  const updated: ReferenceRecord = { ...rest, target, manifest: target.digest, content: complete as Digest[] }
  if (sameImage) await records.writeImage({ ...image, manifest: target, content: complete as Digest[] })
  if (records.reference(record.reference)?.manifest === record.manifest) await records.writeReference(updated)
  if (!sameImage) {
    reportLine(options.onProgress, `The digest is new: ${record.target.digest} goes out as ${target.digest}`)
  }
  return updated
}

function withDiffIds(config: Buffer, diffIds: readonly DiffId[]): Buffer {
  const parsed = JSON.parse(config.toString()) as { rootfs: object }
  return Buffer.from(JSON.stringify({ ...parsed, rootfs: { ...parsed.rootfs, diff_ids: diffIds } }))
}

/** @throws JubakoError ERR_JUBAKO_INTEGRITY when a layer does not give the stream that its image names */
export function checkStream(layers: LayerStore, chainId: ChainId, diffId: string): void {
  const expected = layers.read(chainId)?.diffId
  if (expected === diffId) return
  throw new JubakoError(
    'ERR_JUBAKO_INTEGRITY',
    `layer ${chainId}: its files give the stream ${diffId}, not ${expected}`,
    {
      hint: 'its archive was made by another tool: push or save the image to get what its files give',
    },
  )
}
