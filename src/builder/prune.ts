import { existsSync } from 'node:fs'
import { FileLock } from '../content/index.js'
import { type CacheMount, listCacheMounts } from './cache/mounts.js'
import type { StepCache } from './cache/records.js'

/** One row of `builder du`. */
export interface CacheEntry {
  id: string
  kind: 'regular' | 'exec.cachemount'
  description: string
  createdAt: number
  lastUsedAt: number
  /** Bytes of files. */
  size: number
  /** An image has the layer too: removing the entry frees nothing. */
  shared: boolean
  inUse: boolean
  /** Of a cache mount: the directory itself. */
  path?: string
}

export interface PruneCacheOptions {
  /** Cache mounts and what images share too. */
  all?: boolean
  /** Docker's: `until=24h`, `id=`, `type=`, `inuse`, `shared`, `description=`. Milliseconds since the epoch for `until`. */
  filter?: (entry: CacheEntry) => boolean
  /** Bytes that may stay; what was used last stays. */
  keepStorage?: number
}

export interface PrunedCache {
  deleted: CacheEntry[]
  reclaimed: number
}

/** Everything in the build cache, newest first. */
export async function cacheEntries(cache: StepCache, sizeOf: (path: string) => Promise<number>): Promise<CacheEntry[]> {
  if (!existsSync(cache.steps)) return []
  const used = cache.inUse()
  const seen = new Set<string>()
  const entries: CacheEntry[] = []
  for (const record of cache.all()) {
    const repeated = record.layer !== '' && seen.has(record.layer)
    seen.add(record.layer)
    if (repeated) continue
    const path = record.layer === '' ? undefined : cache.layerPath(record)
    entries.push({
      id: record.key.slice(0, 25),
      kind: 'regular',
      description: record.description,
      createdAt: record.createdAt,
      lastUsedAt: record.lastUsedAt,
      size: record.hashed?.fileBytes ?? (path === undefined ? 0 : await sizeOf(path)),
      shared: record.chainId !== undefined && !existsSync(`${cache.layers}/${record.layer}/diff`),
      inUse: used.has(record.key),
    })
  }
  for (const mount of listCacheMounts(cache.mounts)) entries.push(await mountEntry(mount, sizeOf))
  return entries.sort((a, b) => b.createdAt - a.createdAt)
}

async function mountEntry(mount: CacheMount, sizeOf: (path: string) => Promise<number>): Promise<CacheEntry> {
  return {
    id: mount.path.split('/').at(-2)!.slice(0, 25),
    kind: 'exec.cachemount',
    description: `cached mount ${mount.id}`,
    createdAt: mount.createdAt,
    lastUsedAt: mount.createdAt,
    size: await sizeOf(mount.path),
    shared: false,
    inUse: false,
    path: mount.path,
  }
}

/** Removes what no living build uses. */
export async function pruneCache(
  cache: StepCache,
  options: PruneCacheOptions,
  sizeOf: (path: string) => Promise<number>,
): Promise<PrunedCache> {
  const entries = await cacheEntries(cache, sizeOf)
  const candidates = entries
    .filter(({ inUse }) => !inUse)
    .filter((entry) => options.all || entry.kind === 'regular')
    .filter(options.filter ?? (() => true))
    .sort((a, b) => a.lastUsedAt - b.lastUsedAt)
  let total = entries.reduce((sum, { size, shared }) => sum + (shared ? 0 : size), 0)
  const deleted: CacheEntry[] = []
  for (const entry of candidates) {
    if (options.keepStorage !== undefined && total <= options.keepStorage) break
    if (entry.path !== undefined) {
      if (!(await removeMount(cache, entry.path))) continue
    } else {
      const first = cache.all().find(({ key }) => key.startsWith(entry.id))
      if (first === undefined) continue
      const same = cache
        .all()
        .filter((record) => record.key === first.key || (first.layer !== '' && record.layer === first.layer))
      for (const record of same) await cache.remove(record)
    }
    deleted.push(entry)
    if (!entry.shared) total -= entry.size
  }
  return { deleted, reclaimed: deleted.reduce((sum, { size, shared }) => sum + (shared ? 0 : size), 0) }
}

async function removeMount(cache: StepCache, path: string): Promise<boolean> {
  const base = path.replace(/\/data$/, '')
  const lock = FileLock.tryAcquire(`${base}.lock`)
  if (lock === undefined) return false
  try {
    await cache.discard(base)
    return true
  } finally {
    lock.releaseAndRemove()
  }
}
