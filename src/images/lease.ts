import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { FileLock } from '../content/index.js'
import type { ChainId, Digest } from '../oci/index.js'
import type { Layout } from './layout.js'

/** What a lease keeps: a blob, a layer with those below it being named as well, or every blob. */
export type Protected = `blob ${Digest}` | `layer ${ChainId}` | 'blob *'

export function blob(digest: Digest): Protected {
  return `blob ${digest}`
}

export function layer(chainId: ChainId): Protected {
  return `layer ${chainId}`
}

/**
 * Keeps things that no record names yet from being collected. A lease lives as long as its process holds the lock on
 * its file: what a dead process leased is free.
 */
export class Lease {
  readonly #layout: Layout
  readonly #lock: FileLock

  private constructor(layout: Layout, lock: FileLock) {
    this.#layout = layout
    this.#lock = lock
  }

  static open(layout: Layout): Lease {
    for (;;) {
      const lock = FileLock.tryAcquire(join(layout.leases, `${randomBytes(12).toString('hex')}.lease`))
      if (lock !== undefined) return new Lease(layout, lock)
    }
  }

  /**
   * Protects things before their presence is relied on. When this returns, what is there stays, and what is put there
   * stays as well.
   */
  async protect(things: readonly Protected[], signal?: AbortSignal): Promise<void> {
    if (things.length === 0) return
    const collecting = await FileLock.acquire(this.#layout.collectLock, { mode: 'shared', signal })
    try {
      writeSync(this.#lock.fd, `${things.join('\n')}\n`, null)
    } finally {
      collecting.release()
    }
  }

  release(): void {
    this.#lock.releaseAndRemove()
  }
}

/** What living leases protect. Those of dead processes are removed. Called with the collect lock held exclusively. */
export function readLeases(layout: Layout): Set<string> {
  const things = new Set<string>()
  for (const name of readdirSync(layout.leases)) {
    if (!name.endsWith('.lease')) continue
    const path = join(layout.leases, name)
    const abandoned = FileLock.tryAcquire(path)
    if (abandoned !== undefined) {
      abandoned.releaseAndRemove()
      continue
    }
    for (const line of readLines(path)) things.add(line)
  }
  return things
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
