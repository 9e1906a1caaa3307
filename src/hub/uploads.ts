import type { Hash } from 'node:crypto'
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { type ContentStore, syncDirectory } from '../content/index.js'
import { createDigestHash, type Digest, digestAlgorithm } from '../oci/index.js'
import { appendBody } from './body-file.js'
import { HubError } from './errors.js'
import { rangeText } from './ranges.js'
import { quotaExceeded, type Space } from './space.js'

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** Bytes: few system calls, little memory. */
const BUFFER = 2 ** 18

const unknownUpload = () => new HubError('BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')

/**
 * Blobs on their way in: `<root>/uploads/<repository>/<id>` grows with each request, and gets its name in the store only when
 * it is whole and on the disk. So an upload outlives the connection and the registry.
 */
export class Uploads {
  readonly #directory: string
  readonly #busy = new Set<string>()
  readonly #hashes = new Map<string, { hash: Hash; size: number }>()

  constructor(
    root: string,
    private readonly store: ContentStore,
    private readonly space: Space,
    private readonly limits: { blobBytes: number; uploads: number },
  ) {
    this.#directory = `${root}/uploads`
  }

  #path(name: string, id: string): string {
    if (!ID.test(id)) throw unknownUpload()
    return `${this.#directory}/${name.replaceAll('/', '~')}/${id}`
  }

  /** Uploads begun and not ended. */
  async count(): Promise<number> {
    let pending = 0
    for (const repository of await readdir(this.#directory).catch(() => [])) {
      pending += (await readdir(`${this.#directory}/${repository}`)).length
    }
    return pending
  }

  async begin(name: string): Promise<string> {
    const id = randomUUID()
    const path = this.#path(name, id)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    if ((await this.count()) >= this.limits.uploads) {
      throw new HubError('TOOMANYREQUESTS', 'too many uploads in flight', undefined, { 'Retry-After': '30' })
    }
    await writeFile(path, '', { flag: 'wx', mode: 0o600 })
    return id
  }

  /** Bytes received so far. */
  async size(name: string, id: string): Promise<number> {
    const info = await stat(this.#path(name, id)).catch(() => undefined)
    if (info === undefined) throw unknownUpload()
    return info.size
  }

  /**
   * Appends a request's body. What arrived before a connection broke stays.
   *
   * @param options.start where the client thinks that it goes on
   * @param options.digest what it will be, if that is known
   * @returns bytes received so far
   */
  async append(
    name: string,
    id: string,
    body: Readable,
    options: { start?: number | undefined; digest?: Digest } = {},
  ): Promise<number> {
    const path = this.#path(name, id)
    if (this.#busy.has(path)) throw new HubError('BLOB_UPLOAD_INVALID', 'another request writes to this upload', 416)
    this.#busy.add(path)
    try {
      const size = await this.size(name, id)
      if (options.start !== undefined && options.start !== size) {
        throw new HubError('BLOB_UPLOAD_INVALID', `the upload goes on at ${size}`, 416, { Range: rangeText(size) })
      }
      const known = this.#hashOf(path, size, options.digest)
      this.#hashes.delete(path)
      const room = await this.space.left()
      let total = size
      const { blobBytes } = this.limits
      const see = (piece: Buffer) => {
        total += piece.length
        if (total > blobBytes) throw new HubError('SIZE_INVALID', `a blob has at most ${blobBytes} bytes`, 413)
        if (total > room) throw quotaExceeded()
        known?.update(piece)
      }
      try {
        await appendBody(body, path, see)
      } catch (error) {
        // What can never become a blob is not kept.
        if (error instanceof HubError) await rm(path, { force: true })
        throw error
      }
      if (known !== undefined) this.#hashes.set(path, { hash: known, size: total })
      return total
    } finally {
      this.#busy.delete(path)
    }
  }

  /** The hash of what is there, if this process has it. */
  #hashOf(path: string, size: number, digest: Digest | undefined): Hash | undefined {
    const algorithm = digest === undefined ? 'sha256' : digestAlgorithm(digest)
    if (size === 0) return createDigestHash(algorithm)
    const known = this.#hashes.get(path)
    return known?.size === size ? known.hash : undefined
  }

  /**
   * Verifies an upload, puts it on the disk, and then gives it its name.
   *
   * @param before done when it is right, and before it has its name
   */
  async finish(name: string, id: string, digest: Digest, before: () => Promise<void>): Promise<void> {
    const path = this.#path(name, id)
    const size = await this.size(name, id)
    const known = this.#hashes.get(path)
    this.#hashes.delete(path)
    const algorithm = digestAlgorithm(digest)
    let actual = known?.size === size ? known.hash.digest('hex') : undefined
    // A hash of the other algorithm has another length.
    if (actual?.length !== digest.length - algorithm.length - 1) {
      const hash = createDigestHash(algorithm)
      for await (const chunk of createReadStream(path, { highWaterMark: BUFFER })) hash.update(chunk as Buffer)
      actual = hash.digest('hex')
    }
    if (`${algorithm}:${actual}` !== digest) {
      await rm(path, { force: true })
      throw new HubError(
        'DIGEST_INVALID',
        `provided digest did not match uploaded content: it is ${algorithm}:${actual}`,
      )
    }
    const handle = await open(path, 'r')
    try {
      await handle.datasync()
    } finally {
      await handle.close()
    }
    await before()
    const target = this.store.pathOf(digest)
    if (!this.store.has(digest)) this.space.added(size)
    await rename(path, target)
    await syncDirectory(dirname(target))
  }

  async cancel(name: string, id: string): Promise<void> {
    await this.size(name, id)
    this.#hashes.delete(this.#path(name, id))
    await rm(this.#path(name, id), { force: true })
  }

  /** Removes uploads that nobody goes on with. @param graceMs milliseconds since the last byte @returns how many */
  async sweep(graceMs: number): Promise<number> {
    let removed = 0
    for (const repository of await readdir(this.#directory).catch(() => [])) {
      for (const id of await readdir(`${this.#directory}/${repository}`)) {
        const path = `${this.#directory}/${repository}/${id}`
        const info = await stat(path).catch(() => undefined)
        if (info === undefined || this.#busy.has(path) || Date.now() - info.mtimeMs < graceMs) continue
        this.#hashes.delete(path)
        await rm(path, { force: true })
        removed++
      }
    }
    return removed
  }
}
