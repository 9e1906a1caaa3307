import { stat } from 'node:fs/promises'
import type { ContentStore } from '../content/index.js'
import { FileLock } from '../content/index.js'
import type { Digest } from '../oci/index.js'
import type { Documents } from './documents.js'
import { digestsOf, parseDocument } from './manifests.js'
import type { CollectedGarbage } from './options.js'
import type { Repositories } from './repositories.js'
import type { Space } from './space.js'
import type { Uploads } from './uploads.js'

export interface GarbageParts {
  store: ContentStore
  repositories: Repositories
  documents: Documents
  uploads: Uploads
  space: Space
  /** Path of the lock of collections. */
  lock: string
  /** Removes content of a store that others use as well. Default: the registry's own content. */
  collectStore?: () => Promise<{ blobs: number; bytes: number }>
}

/**
 * Removes what no manifest names and nobody asked for during the grace time, while the registry serves: first the links of
 * repositories, then content without a link. What is being pushed gets its link with the lock held shared.
 */
export async function collectGarbage(parts: GarbageParts, graceMs: number): Promise<CollectedGarbage> {
  const uploads = await parts.uploads.sweep(graceMs)
  const lock = await FileLock.acquire(parts.lock)
  let needed: Set<Digest>
  let removed = { blobs: 0, bytes: 0 }
  try {
    needed = await unlink(parts, graceMs)
    if (parts.collectStore === undefined) removed = await removeContent(parts.store, needed, graceMs)
  } finally {
    lock.release()
  }
  if (parts.collectStore !== undefined) removed = await parts.collectStore()
  parts.space.changed()
  return { ...removed, uploads }
}

/** Removes links that have had their time. @returns what is still linked */
async function unlink({ repositories, documents }: GarbageParts, graceMs: number): Promise<Set<Digest>> {
  const all = new Set<Digest>()
  for (const name of await repositories.names()) {
    const named = new Set<Digest>()
    for (const { digest } of await repositories.manifests(name)) {
      all.add(digest)
      for (const blob of await blobsOf(documents, digest)) named.add(blob)
    }
    for (const { digest, usedAt } of await repositories.blobs(name)) {
      if (named.has(digest) || Date.now() - usedAt < graceMs) all.add(digest)
      else await repositories.removeBlob(name, digest)
    }
  }
  return all
}

async function blobsOf(documents: Documents, digest: Digest): Promise<Digest[]> {
  try {
    const { config, layers, manifests } = parseDocument(await documents.read(digest))
    return [...(config === undefined ? [] : digestsOf([config])), ...digestsOf(layers), ...digestsOf(manifests)]
  } catch {
    // A power cut between a link and its document: it names nothing.
    return []
  }
}

async function removeContent(store: ContentStore, needed: ReadonlySet<Digest>, graceMs: number) {
  const removed = { blobs: 0, bytes: 0 }
  for await (const { digest, size } of store.list()) {
    if (needed.has(digest)) continue
    const info = await stat(store.pathOf(digest)).catch(() => undefined)
    if (info === undefined || Date.now() - info.ctimeMs < graceMs) continue
    await store.remove(digest)
    removed.blobs++
    removed.bytes += size
  }
  if (removed.blobs > 0) await store.syncNames()
  await store.sweep(graceMs)
  return removed
}
