import type { Hash } from 'node:crypto'
import { fdatasync, fstatSync, ftruncate, read, write } from 'node:fs'
import { rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { JubakoError } from '../errors/index.js'
import { createDigestHash, type Digest, type DigestAlgorithm, digestAlgorithm } from '../oci/index.js'
import { syncDirectory } from './durable.js'
import type { FileLock } from './file-lock.js'

const writeFd = promisify(write)
const readFd = promisify(read)
const truncateFd = promisify(ftruncate)
const datasyncFd = promisify(fdatasync)

const FLUSH_BYTES = 512 * 1024

/** What the finished content must be. */
export interface Expected {
  digest: Digest
  /** Bytes; undefined when not known beforehand. */
  size?: number
}

/**
 * Content being written: a locked file below `ingest/`, hashed while it grows. It gets its name in the store only when
 * digest and size are right and the data is on the disk.
 */
export class Ingest {
  readonly #lock: FileLock
  readonly #pathOf: (digest: Digest) => string
  readonly #expected: Expected | undefined
  readonly #limit: number
  readonly #algorithm: DigestAlgorithm
  #hash: Hash
  #accepted = 0
  #written = 0
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #open = true

  /** @param limit bytes above which writing fails; the expected size is a limit by itself */
  constructor(
    lock: FileLock,
    pathOf: (digest: Digest) => string,
    expected: Expected | undefined,
    limit = Number.MAX_SAFE_INTEGER,
  ) {
    this.#lock = lock
    this.#pathOf = pathOf
    this.#expected = expected
    this.#limit = Math.min(expected?.size ?? limit, limit)
    this.#algorithm = expected === undefined ? 'sha256' : digestAlgorithm(expected.digest)
    this.#hash = createDigestHash(this.#algorithm)
  }

  /** Bytes taken so far: where a download goes on. */
  get offset(): number {
    return this.#accepted
  }

  /** Bytes that a reader of {@link path} sees. */
  get written(): number {
    return this.#written
  }

  /** Path of the growing file. It ceases to exist with {@link commit}. */
  get path(): string {
    return this.#lock.path
  }

  /** The growing file, for another process that writes it: see {@link commitAs}. */
  get fd(): number {
    return this.#lock.fd
  }

  /** Takes over what an earlier, interrupted writer left in the file. */
  async resume(): Promise<void> {
    const buffer = Buffer.allocUnsafe(FLUSH_BYTES)
    for (;;) {
      const { bytesRead } = await readFd(this.#lock.fd, buffer, 0, buffer.length, this.#accepted)
      if (bytesRead === 0) break
      if (this.#accepted + bytesRead > this.#limit) return this.restart()
      this.#hash.update(buffer.subarray(0, bytesRead))
      this.#accepted += bytesRead
    }
    this.#written = this.#accepted
  }

  /** Forgets everything written so far. */
  async restart(): Promise<void> {
    this.#pending = []
    this.#pendingBytes = 0
    this.#accepted = 0
    this.#written = 0
    this.#hash = createDigestHash(this.#algorithm)
    await truncateFd(this.#lock.fd, 0)
  }

  /**
   * Appends bytes. The buffer must not change afterwards.
   *
   * @throws JubakoError `ERR_JUBAKO_LIMIT_EXCEEDED` beyond the expected size or the limit
   */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#accepted + chunk.byteLength > this.#limit) {
      throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `${this.#what()} is longer than ${this.#limit} bytes`)
    }
    this.#hash.update(chunk)
    this.#accepted += chunk.byteLength
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.byteLength
    if (this.#pendingBytes >= FLUSH_BYTES) await this.flush()
  }

  /** Hands what was taken to the kernel, so that a reader of {@link path} sees it. */
  async flush(): Promise<void> {
    const chunks = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    let done = 0
    while (done < bytes.byteLength) {
      const { bytesWritten } = await writeFd(this.#lock.fd, bytes, done, bytes.byteLength - done, this.#written)
      done += bytesWritten
      this.#written += bytesWritten
    }
  }

  /**
   * Verifies, syncs and names the content.
   *
   * @returns its digest, which is the expected one
   * @throws JubakoError `ERR_JUBAKO_INTEGRITY` when size or digest are wrong; the data is dropped then
   */
  async commit(): Promise<Digest> {
    await this.flush()
    const actual = `${this.#algorithm}:${this.#hash.digest('hex')}` as Digest
    const problem = this.#problem(actual)
    if (problem !== undefined) {
      await this.restart()
      throw new JubakoError('ERR_JUBAKO_INTEGRITY', problem)
    }
    return this.#name(actual)
  }

  /**
   * Syncs and names content that somebody trusted wrote to {@link fd}, and hashed meanwhile.
   *
   * @throws JubakoError `ERR_JUBAKO_INTEGRITY` when the file has another size
   */
  async commitAs(digest: Digest, size: number): Promise<Digest> {
    const written = fstatSync(this.#lock.fd).size
    if (written !== size) {
      throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${digest} has ${written} bytes, expected ${size}`)
    }
    return this.#name(digest)
  }

  async #name(digest: Digest): Promise<Digest> {
    const target = this.#pathOf(digest)
    await datasyncFd(this.#lock.fd)
    await rename(this.#lock.path, target)
    await syncDirectory(dirname(target))
    this.#close()
    return digest
  }

  #problem(actual: Digest): string | undefined {
    if (this.#expected === undefined) return undefined
    const { digest, size } = this.#expected
    if (size !== undefined && size !== this.#accepted) {
      return `${digest} has ${this.#accepted} bytes, expected ${size}`
    }
    return actual === digest ? undefined : `content does not match its digest: expected ${digest}, got ${actual}`
  }

  /** Stops writing and keeps the part for {@link resume}, also by another process. */
  async suspend(): Promise<void> {
    if (!this.#open) return
    if (this.#accepted === 0) return this.abort()
    try {
      await this.flush()
    } finally {
      this.#close()
    }
  }

  /** Stops writing and removes the part. Harmless after {@link commit}. */
  async abort(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    this.#lock.releaseAndRemove()
  }

  #close(): void {
    this.#open = false
    this.#lock.release()
  }

  #what(): string {
    return this.#expected === undefined ? 'content' : this.#expected.digest
  }
}
