import { mkdirSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { type ContentStore, FileLock } from '../content/index.js'
import type { ServedTag } from '../images/index.js'
import { type Digest, isDigest } from '../oci/index.js'
import type { EngineContext } from './context.js'
import { imageUsers } from './images.js'

/** The engine's images for a registry that serves them. */
export interface RegistryStore {
  /** Directory for what the registry knows beside the images. */
  readonly root: string
  readonly content: ContentStore
  readonly collectLock: string
  /** Says where the registry listens, for pushes of this store's own engines. */
  announce(addresses: readonly string[], readonly: boolean): { close(): void }
  tags(): ServedTag[]
  complete(tag: ServedTag): Promise<ServedTag>
  manifest(name: string, digest: Digest): { mediaType: string; size: number } | undefined
  hasBlob(name: string, digest: Digest): boolean
  layerSize(digest: Digest): number | undefined
  layerStream(digest: Digest): Readable
  land(tag: Omit<ServedTag, 'updatedAt'>): Promise<void>
  untag(name: string, tag: string): Promise<void>
  collect(): Promise<{ blobs: number; bytes: number }>
}

const directory = (root: string): string => `${root}/registry`
const announcement = (root: string): string => `${directory(root)}/serving`

export function registryStore(context: EngineContext): RegistryStore {
  const { images, root } = context
  const remove = (reference: string) => images.remove(reference, { inUse: imageUsers(context) })
  let served = images.served([], remove)
  return {
    root: directory(root),
    content: images.content,
    collectLock: images.collectLock,
    announce: (now, readonly) => {
      served = images.served(now, remove)
      return announce(root, readonly ? [] : now)
    },
    tags: () => served.tags(),
    complete: (tag) => served.complete(tag),
    manifest: (name, digest) => served.manifest(name, digest),
    hasBlob: (name, digest) => served.hasBlob(name, digest),
    layerSize: (digest) => served.layerSize(digest),
    layerStream: (digest) => served.layerStream(digest),
    land: (tag) => served.land(tag),
    untag: (name, tag) => served.untag(name, tag),
    collect: async () => {
      const { blobs, reclaimed } = await images.collect()
      return { blobs: blobs.length, bytes: reclaimed }
    },
  }
}

/** The file tells where; that its lock is held, that the registry lives. */
function announce(root: string, addresses: readonly string[]): { close(): void } {
  mkdirSync(directory(root), { recursive: true, mode: 0o700 })
  for (;;) {
    FileLock.tryAcquire(announcement(root))?.releaseAndRemove()
    const lock = FileLock.tryAcquire(announcement(root))
    if (lock === undefined) continue
    writeSync(lock.fd, JSON.stringify(addresses))
    return { close: () => lock.releaseAndRemove() }
  }
}

/** Whether a registry that takes pushes into this store listens at an address now. */
export function ownRegistry(root: string, domain: string): boolean {
  let addresses: readonly string[]
  try {
    addresses = JSON.parse(readFileSync(announcement(root), 'utf8')) as string[]
  } catch {
    return false
  }
  if (!addresses.includes(domain)) return false
  const abandoned = FileLock.tryAcquire(announcement(root), 'shared')
  abandoned?.release()
  return abandoned === undefined
}

/** Everything that was pushed to the registry of this store: it stays until the registry lets go of it. */
export function registryBlobs(root: string): Digest[] {
  const found: Digest[] = []
  const top = `${directory(root)}/repositories`
  for (const name of list(top)) {
    for (const kind of ['blobs', 'manifests']) {
      for (const file of list(`${top}/${name}/${kind}`)) {
        const digest = file.replace(/\.json$/, '').replace('-', ':')
        if (isDigest(digest)) found.push(digest)
      }
    }
  }
  return found
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
