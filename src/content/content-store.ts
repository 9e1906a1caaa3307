import { randomBytes } from 'node:crypto'
import { createReadStream, mkdirSync, type ReadStream, readFileSync, statSync } from 'node:fs'
import { open, readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { JubakoError } from '../errors/index.js'
import { type Digest, digestAlgorithm, digestHex, digestOf, isDigest } from '../oci/index.js'
import { syncDirectory } from './durable.js'
import { FileLock } from './file-lock.js'
import { type Expected, Ingest } from './ingest.js'

const ALGORITHMS = ['sha256', 'sha512'] as const
const DAY_MS = 24 * 3600 * 1000

/**
 * Content by digest in a directory: `blobs/<algorithm>/<hex>` holds what was verified, `ingest/` what is being
 * written. Any number of processes use it at the same time; locks are per content.
 */
export class ContentStore {
  readonly root: string

  /** Creates the directories (mode 0700). */
  constructor(root: string) {
    this.root = root
    for (const algorithm of ALGORITHMS) mkdirSync(join(root, 'blobs', algorithm), { recursive: true, mode: 0o700 })
    mkdirSync(join(root, 'ingest'), { recursive: true, mode: 0o700 })
  }

  /** Where content has, or would have, its place. Touches nothing. */
  pathOf(digest: Digest): string {
    return join(this.root, 'blobs', digestAlgorithm(digest), digestHex(digest))
  }

  has(digest: Digest): boolean {
    return statSync(this.pathOf(digest), { throwIfNoEntry: false }) !== undefined
  }

  /** Bytes, or undefined when the content is not here. */
  sizeOf(digest: Digest): number | undefined {
    return statSync(this.pathOf(digest), { throwIfNoEntry: false })?.size
  }

  /**
   * Reads a small document and verifies it again.
   *
   * @param limit bytes; larger content is refused unread
   * @throws JubakoError `ERR_JUBAKO_NOT_FOUND`, `ERR_JUBAKO_LIMIT_EXCEEDED`, `ERR_JUBAKO_INTEGRITY`
   */
  async read(digest: Digest, limit: number): Promise<Buffer> {
    const info = await stat(this.pathOf(digest)).catch(() => undefined)
    checkReadable(digest, info?.size, limit)
    return verified(digest, await readFile(this.pathOf(digest)))
  }

  /** As {@link read}, for the paths where a turn of the event loop costs more than the read. */
  readSync(digest: Digest, limit: number): Buffer {
    checkReadable(digest, this.sizeOf(digest), limit)
    return verified(digest, readFileSync(this.pathOf(digest)))
  }

  /** The bytes as they are stored, not verified again. */
  createReadStream(digest: Digest, range: { start?: number; end?: number } = {}): ReadStream {
    return createReadStream(this.pathOf(digest), { ...range, highWaterMark: 256 * 1024 })
  }

  /** Stores a document that is in memory. */
  async put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes)
    if (this.has(digest)) return digest
    const ingest = this.ingestUnknown()
    try {
      await ingest.write(bytes)
      return await ingest.commit()
    } finally {
      await ingest.abort()
    }
  }

  /**
   * Begins, or goes on, to write content whose digest is known. One writer per digest over all processes: others wait
   * here and then find the content, or go on where a writer that died stopped.
   *
   * @returns undefined when the content is here (by now)
   */
  async ingest(
    expected: Expected,
    options: { signal?: AbortSignal | undefined; onWait?: () => void } = {},
  ): Promise<Ingest | undefined> {
    const { digest } = expected
    if (this.has(digest)) return undefined
    const path = join(this.root, 'ingest', `${digestAlgorithm(digest)}-${digestHex(digest)}`)
    const lock = await FileLock.acquire(path, options)
    const ingest = new Ingest(lock, (named) => this.pathOf(named), expected)
    if (this.has(digest)) {
      await ingest.abort()
      return undefined
    }
    try {
      await ingest.resume()
    } catch (error) {
      await ingest.suspend()
      throw error
    }
    return ingest
  }

  /** Begins to write content that will be named by what it turns out to be (sha256). */
  ingestUnknown(limit?: number): Ingest {
    const lock = FileLock.tryAcquire(join(this.root, 'ingest', `tmp-${randomBytes(12).toString('hex')}`))
    if (lock === undefined) throw new JubakoError('ERR_JUBAKO_SYSTEM', 'a new ingest file is locked by somebody else')
    return new Ingest(lock, (named) => this.pathOf(named), undefined, limit)
  }

  /** Removes content. Not an error when it is not here. */
  async remove(digest: Digest): Promise<void> {
    await unlink(this.pathOf(digest)).catch(ignoreMissing)
  }

  /** Makes removals survive a power cut. */
  async syncNames(): Promise<void> {
    for (const algorithm of ALGORITHMS) await syncDirectory(join(this.root, 'blobs', algorithm))
  }

  /** Everything stored, in no order. */
  async *list(): AsyncGenerator<{ digest: Digest; size: number; modifiedAt: number }> {
    for (const algorithm of ALGORITHMS) {
      for (const hex of await readdir(join(this.root, 'blobs', algorithm))) {
        const digest = `${algorithm}:${hex}`
        if (!isDigest(digest)) continue
        const info = await stat(this.pathOf(digest)).catch(() => undefined)
        if (info !== undefined) yield { digest, size: info.size, modifiedAt: info.mtimeMs }
      }
    }
  }

  /**
   * Removes what dead writers left: unnamed parts at once, resumable ones after `keepMs`.
   *
   * @param keepMs milliseconds since the last write; default one day
   */
  async sweep(keepMs = DAY_MS): Promise<void> {
    const directory = join(this.root, 'ingest')
    for (const name of await readdir(directory)) {
      const unnamed = name.startsWith('tmp-')
      if (!unnamed && !/^sha(256|512)-[a-f0-9]+$/.test(name)) continue
      const path = join(directory, name)
      const info = await stat(path).catch(() => undefined)
      if (info === undefined || (!unnamed && Date.now() - info.mtimeMs < keepMs)) continue
      FileLock.tryAcquire(path)?.releaseAndRemove()
    }
  }

  /** Opens content for reading by descriptor, for example to hand it to another process. */
  async open(digest: Digest): ReturnType<typeof open> {
    return open(this.pathOf(digest), 'r').catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === 'ENOENT' ? missing(digest) : cause
    })
  }
}

function checkReadable(digest: Digest, size: number | undefined, limit: number): void {
  if (size === undefined) throw missing(digest)
  if (size > limit) throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `${digest} is larger than ${limit} bytes`)
}

function verified(digest: Digest, bytes: Buffer): Buffer {
  if (digestOf(bytes, digestAlgorithm(digest)) === digest) return bytes
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', `stored content ${digest} is damaged`, {
    hint: 'remove the image and pull it again',
  })
}

function missing(digest: Digest): JubakoError {
  return new JubakoError('ERR_JUBAKO_NOT_FOUND', `no such content: ${digest}`, { path: digest })
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
