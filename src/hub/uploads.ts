import type { Hash } from 'node:crypto'
import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type ContentStore, syncDirectory } from '../content/index.js'
import { createDigestHash, type Digest, digestAlgorithm } from '../oci/index.js'
import { HubError } from './errors.js'

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Blobs on their way in: `<root>/uploads/<id>` grows with each request, and gets its name in the store only when it is whole
 * and on the disk. So an upload outlives the connection and the registry.
 */
export class Uploads {
  readonly #directory: string
  /** The repository that an upload belongs to is the beginning of its file's name. */
  readonly #busy = new Set<string>()
  readonly #hashes = new Map<string, { hash: Hash; size: number }>()

  constructor(
    root: string,
    private readonly store: ContentStore,
    private readonly limits: { blobBytes: number; uploads: number },
  ) {
    this.#directory = `${root}/uploads`
  }

  #path(name: string, id: string): string {
    if (!ID.test(id)) throw new HubError('BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
    return `${this.#directory}/${name.replaceAll('/', '~')}/${id}`
  }

  async begin(name: string): Promise<string> {
    const id = randomUUID()
    const path = this.#path(name, id)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    let pending = 0
    for (const repository of await readdir(this.#directory)) {
      pending += (await readdir(`${this.#directory}/${repository}`)).length
    }
    if (pending >= this.limits.uploads) {
      throw new HubError('TOOMANYREQUESTS', 'too many uploads in flight', undefined, { 'Retry-After': '30' })
    }
    await writeFile(path, '', { flag: 'wx', mode: 0o600 })
    return id
  }

  /** Bytes received so far. */
  async size(name: string, id: string): Promise<number> {
    const info = await stat(this.#path(name, id)).catch(() => undefined)
    if (info === undefined) throw new HubError('BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
    return info.size
  }

  /**
   * Appends a request's body. What arrived before a connection broke stays.
   *
   * @param start where the client thinks that it goes on
   * @returns bytes received so far
   */
  async append(name: string, id: string, body: Readable, start?: number): Promise<number> {
    const path = this.#path(name, id)
    if (this.#busy.has(path)) throw new HubError('BLOB_UPLOAD_INVALID', 'another request writes to this upload', 416)
    this.#busy.add(path)
    try {
      const size = await this.size(name, id)
      if (start !== undefined && start !== size) {
        throw new HubError('BLOB_UPLOAD_INVALID', `the upload goes on at ${size}`, 416, { Range: rangeText(size) })
      }
      let known = this.#hashes.get(path)
      if (known?.size !== size) known = size === 0 ? { hash: createDigestHash('sha256'), size } : undefined
      this.#hashes.delete(path)
      let total = size
      const { blobBytes } = this.limits
      const watch = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          total += chunk.length
          if (total > blobBytes) done(new HubError('SIZE_INVALID', `a blob has at most ${blobBytes} bytes`, 413))
          else {
            known?.hash.update(chunk)
            done(null, chunk)
          }
        },
      })
      const file: WriteStream = createWriteStream(path, { flags: 'a' })
      await pipeline(body, watch, file)
      if (known !== undefined) this.#hashes.set(path, { hash: known.hash, size: total })
      return total
    } finally {
      this.#busy.delete(path)
    }
  }

  /** Verifies an upload, puts it on the disk, and then gives it its name. */
  async finish(name: string, id: string, digest: Digest): Promise<void> {
    const path = this.#path(name, id)
    const size = await this.size(name, id)
    const known = this.#hashes.get(path)
    this.#hashes.delete(path)
    const algorithm = digestAlgorithm(digest)
    let hash = algorithm === 'sha256' && known?.size === size ? known.hash : undefined
    if (hash === undefined) {
      hash = createDigestHash(algorithm)
      for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 18 })) hash.update(chunk as Buffer)
    }
    const actual = `${algorithm}:${hash.digest('hex')}`
    if (actual !== digest) {
      await rm(path, { force: true })
      throw new HubError('DIGEST_INVALID', `provided digest did not match uploaded content: it is ${actual}`)
    }
    const handle = await open(path, 'r')
    try {
      await handle.datasync()
    } finally {
      await handle.close()
    }
    const target = this.store.pathOf(digest)
    await rename(path, target)
    await syncDirectory(dirname(target))
  }

  async cancel(name: string, id: string): Promise<void> {
    await this.size(name, id)
    this.#hashes.delete(this.#path(name, id))
    await rm(this.#path(name, id), { force: true })
  }
}

export const rangeText = (size: number): string => `0-${Math.max(0, size - 1)}`
