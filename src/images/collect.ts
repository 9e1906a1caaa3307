import type { ContentStore } from '../content/index.js'
import { FileLock, syncDirectory } from '../content/index.js'
import type { ChainId, Digest } from '../oci/index.js'
import type { LayerStore } from './layer-store.js'
import type { Layout } from './layout.js'
import { blob, layer, readLeases } from './lease.js'
import type { ImageRecord, Records } from './records.js'
import type { SnapshotStore } from './snapshots.js'
import type { ExternalRoots } from './types.js'

export interface Collected {
  /** Chain IDs of the layers that went, topmost first. */
  layers: ChainId[]
  blobs: Digest[]
  /** Bytes: of blobs as stored, of layers as unpacked. */
  reclaimed: number
}

export interface CollectParts {
  layout: Layout
  content: ContentStore
  layers: LayerStore
  snapshots: SnapshotStore
  /** Layers' archives are needed by leases only. */
  dropBlobs: boolean
  records: Records
  roots: () => Promise<ExternalRoots> | ExternalRoots
}

/**
 * Removes blobs and layers that no record, no container and no living lease needs. The exclusive lock is held for the
 * decision and the renames only; deleting comes afterwards.
 */
export async function collect(parts: CollectParts, signal?: AbortSignal): Promise<Collected> {
  const lock = await FileLock.acquire(parts.layout.collectLock, { signal })
  let collected: Collected
  try {
    collected = await decide(parts)
  } finally {
    lock.release()
  }
  await parts.layers.emptyTrash()
  return collected
}

async function decide(parts: CollectParts): Promise<Collected> {
  const { layout, content, layers, records } = parts
  // Leases first: who lets go of one has written its record before.
  const needed = readLeases(layout)
  const images = records.images()
  addRecords(needed, images, records, parts.dropBlobs)
  const external = await parts.roots()
  for (const digest of external.blobs ?? []) needed.add(blob(digest))
  const inUse = [...(external.snapshots ?? [])]
  const frozen = parts.snapshots.roots(inUse)
  addExternal(needed, parts, images, {
    layers: [...external.layers, ...frozen.layers],
    images: [...external.images, ...frozen.images],
  })
  const collected: Collected = { layers: [], blobs: [], reclaimed: 0 }
  for (const hex of layers.list()) collectLayer(parts, needed, `sha256:${hex}` as ChainId, collected)
  if (collected.layers.length > 0) await syncDirectory(layout.layers)
  await parts.snapshots.collect(layers, inUse)
  if (!needed.has('blob *')) {
    for await (const { digest, size } of content.list()) {
      if (needed.has(blob(digest))) continue
      await content.remove(digest)
      collected.blobs.push(digest)
      collected.reclaimed += size
    }
    if (collected.blobs.length > 0) await content.syncNames()
  }
  return collected
}

function addRecords(needed: Set<string>, images: ImageRecord[], records: Records, dropBlobs: boolean): void {
  for (const image of images) {
    for (const chainId of image.chainIds) needed.add(layer(chainId))
    for (const digest of dropBlobs ? [image.manifest.digest, image.imageId] : image.content) needed.add(blob(digest))
  }
  const present = new Set(images.map((image) => image.imageId))
  for (const reference of records.references()) {
    if (!present.has(reference.imageId)) continue
    const { target, manifest, imageId, content } = reference
    for (const digest of dropBlobs ? [target.digest, manifest, imageId] : content) needed.add(blob(digest))
  }
}

function addExternal(needed: Set<string>, parts: CollectParts, images: ImageRecord[], roots: ExternalRoots): void {
  const { layers, images: kept } = roots
  for (const id of kept) needed.add(blob(id))
  for (const top of layers) {
    // A removed image's container names its topmost layer only: the records of the layers lead down.
    for (let chainId: ChainId | undefined = top; chainId !== undefined; chainId = parts.layers.read(chainId)?.parent) {
      if (needed.has(layer(chainId)) && images.some((image) => image.chainIds.includes(chainId!))) break
      needed.add(layer(chainId))
    }
  }
}

function collectLayer(parts: CollectParts, needed: Set<string>, chainId: ChainId, collected: Collected): void {
  if (needed.has(layer(chainId))) return
  collected.reclaimed += parts.layers.read(chainId)?.size ?? 0
  parts.layers.trash(chainId)
  collected.layers.push(chainId)
}
