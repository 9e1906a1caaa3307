import { createHash } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FileLock } from '../../content/index.js'
import type { RunMount } from '../../dockerfile/index.js'

/** A directory that outlives builds (`RUN --mount=type=cache`). */
export interface CacheMount {
  id: string
  /** Absolute path of the directory itself. */
  path: string
  createdAt: number
}

/** Taken for one step. `fresh`: it was made just now. */
export interface TakenMount {
  path: string
  fresh: boolean
  release(): void
}

type Wanted = Pick<RunMount, 'sharing' | 'mode' | 'uid' | 'gid'>

/** As BuildKit has it, whoever asks for another owner or mode gets a directory of that owner and mode. */
function nameOf(id: string, { mode, uid, gid }: Wanted): string {
  const owner = [mode ?? 0o755, uid ?? 0, gid ?? 0]
  const plain = owner.join() === [0o755, 0, 0].join()
  return createHash('sha256')
    .update(plain ? id : `${id}\0${owner}`)
    .digest('hex')
}

/** Plain directories below `<root>/build/mounts`, found by the hash of their id. */
export async function takeCacheMount(
  directory: string,
  id: string,
  mount: Wanted,
  now: number,
  signal: AbortSignal | undefined,
): Promise<TakenMount> {
  const base = join(directory, nameOf(id, mount))
  if (mount.sharing === 'shared') return { ...make(base, id, mount, now), release: () => {} }
  if (mount.sharing === 'locked') {
    const lock = await FileLock.acquire(`${base}.lock`, { signal })
    return { ...make(base, id, mount, now), release: () => lock.release() }
  }
  for (let copy = 0; ; copy++) {
    const path = copy === 0 ? base : `${base}-${copy}`
    const lock = FileLock.tryAcquire(`${path}.lock`)
    if (lock !== undefined) return { ...make(path, id, mount, now), release: () => lock.release() }
  }
}

function make(base: string, id: string, { mode, uid, gid }: Wanted, now: number): { path: string; fresh: boolean } {
  const path = join(base, 'data')
  const fresh = !existsSync(path)
  if (fresh) {
    mkdirSync(path, { recursive: true, mode: 0o755 })
    chmodSync(path, mode ?? 0o755)
    chownSync(path, uid ?? 0, gid ?? 0)
    writeFileSync(join(base, 'mount.json'), JSON.stringify({ id, createdAt: now }), { mode: 0o600 })
  }
  return { path, fresh }
}

export function listCacheMounts(directory: string): CacheMount[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => /^[0-9a-f]{64}(-\d+)?$/.test(name))
    .flatMap((name) => {
      try {
        const meta = JSON.parse(readFileSync(join(directory, name, 'mount.json'), 'utf8')) as CacheMount
        return [{ id: meta.id, createdAt: meta.createdAt, path: join(directory, name, 'data') }]
      } catch {
        return []
      }
    })
}
