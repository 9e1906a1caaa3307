import { closeSync, constants, fstatSync, openSync, statSync, unlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { JubakoError } from '../errors/index.js'
import { tryFlock } from '../native/storage.js'

/**
 * A lock on a file, between processes and within one (`flock(2)`). The kernel releases it when its holder dies, so a
 * lock that can be taken has no living owner: no pid is ever looked at.
 */
export class FileLock {
  /** Open for reading and writing as long as the lock is held. */
  readonly fd: number
  readonly path: string
  #held = true

  private constructor(fd: number, path: string) {
    this.fd = fd
    this.path = path
  }

  /**
   * Takes the lock, creating the file (mode 0600) if need be.
   *
   * @returns undefined when somebody else holds it
   */
  static tryAcquire(path: string, mode: 'shared' | 'exclusive' = 'exclusive'): FileLock | undefined {
    for (;;) {
      const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
      try {
        if (!tryFlock(fd, mode === 'exclusive')) {
          closeSync(fd)
          return undefined
        }
        if (isSameFile(fd, path)) return new FileLock(fd, path)
      } catch (error) {
        closeSync(fd)
        throw error
      }
      // The former holder renamed or removed the file between our open and our lock.
      closeSync(fd)
    }
  }

  /** Waits until the lock is free. Never blocks a thread. */
  static async acquire(
    path: string,
    options: { mode?: 'shared' | 'exclusive'; signal?: AbortSignal | undefined; onWait?: () => void } = {},
  ): Promise<FileLock> {
    let delayMs = 1
    for (;;) {
      throwIfAborted(options.signal)
      const lock = FileLock.tryAcquire(path, options.mode)
      if (lock !== undefined) return lock
      if (delayMs === 1) options.onWait?.()
      await sleep(delayMs, undefined, { signal: options.signal }).catch(() => throwIfAborted(options.signal))
      delayMs = Math.min(delayMs * 2, MAX_POLL_MS)
    }
  }

  /** Gives the lock back; the file stays. */
  release(): void {
    if (!this.#held) return
    this.#held = false
    closeSync(this.fd)
  }

  /** Removes the file while it is locked, then gives the lock back. */
  releaseAndRemove(): void {
    if (!this.#held) return
    try {
      if (isSameFile(this.fd, this.path)) unlinkSync(this.path)
    } finally {
      this.release()
    }
  }
}

const MAX_POLL_MS = 50

function isSameFile(fd: number, path: string): boolean {
  const named = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (named === undefined) return false
  const held = fstatSync(fd, { bigint: true })
  return named.ino === held.ino && named.dev === held.dev
}

/** @throws JubakoError `ERR_JUBAKO_ABORTED` */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new JubakoError('ERR_JUBAKO_ABORTED', 'the operation was aborted', { cause: signal.reason })
}
