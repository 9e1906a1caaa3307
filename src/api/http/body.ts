import { Readable } from 'node:stream'
import { HttpError } from './head.js'
import type { Intake } from './intake.js'

const MAX_CHUNK_LINE = 1024
const MAX_TRAILER_BYTES = 16 * 1024

/**
 * The body of one request. Nothing of it is read before somebody asks, so a body that nobody wants costs nothing, and
 * the sender is slowed down to the reader's pace.
 */
export class Body {
  readonly #chunks: AsyncGenerator<Buffer, void, void>
  #done: boolean
  #begun = false

  /** @param onFirst called before the first read: `100 Continue` goes out then */
  constructor(
    private readonly intake: Intake,
    readonly length: number | 'chunked',
    private readonly onFirst: () => void,
  ) {
    this.#done = length === 0
    this.#chunks = length === 'chunked' ? this.#chunked() : this.#counted(length)
  }

  /** All of it was read. */
  get done(): boolean {
    return this.#done
  }

  /** Some of it was read. */
  get begun(): boolean {
    return this.#begun
  }

  async next(): Promise<Buffer | null> {
    if (this.#done) return null
    if (!this.#begun) {
      this.#begun = true
      this.onFirst()
    }
    const { value, done } = await this.#chunks.next()
    if (done || value === undefined) {
      this.#done = true
      return null
    }
    return value
  }

  /** @throws HttpError 413 when there is more */
  async all(limit: number): Promise<Buffer> {
    if (typeof this.length === 'number' && this.length > limit) throw tooLarge()
    const parts: Buffer[] = []
    let size = 0
    for (let chunk = await this.next(); chunk !== null; chunk = await this.next()) {
      size += chunk.length
      if (size > limit) throw tooLarge()
      parts.push(chunk)
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, size)
  }

  stream(): Readable {
    const next = () => this.next()
    return new Readable({
      highWaterMark: 64 * 1024,
      read() {
        next().then(
          (chunk) => this.push(chunk),
          (error: Error) => this.destroy(error),
        )
      },
    })
  }

  async *#counted(length: number): AsyncGenerator<Buffer, void, void> {
    for (let left = length; left > 0; ) {
      const chunk = await this.#bytes()
      if (chunk.length > left) this.intake.putBack(chunk.subarray(left))
      const part = chunk.length > left ? chunk.subarray(0, left) : chunk
      left -= part.length
      yield part
    }
  }

  async *#chunked(): AsyncGenerator<Buffer, void, void> {
    for (;;) {
      const line = await this.#line(MAX_CHUNK_LINE)
      const size = /^([0-9a-fA-F]{1,12})[ \t]*(;|$)/.exec(line)
      if (size === null) throw new HttpError(400, 'malformed chunk')
      const length = Number.parseInt(size[1]!, 16)
      if (length === 0) break
      yield* this.#counted(length)
      if ((await this.#line(2)) !== '') throw new HttpError(400, 'malformed chunk')
    }
    for (let left = MAX_TRAILER_BYTES; ; ) {
      const line = await this.#line(left)
      if (line === '') return
      left -= line.length + 2
    }
  }

  async #bytes(): Promise<Buffer> {
    const chunk = await this.intake.next()
    if (chunk === null) throw new HttpError(400, 'unexpected end of the request body')
    return chunk
  }

  /** Up to CR LF, without it. */
  async #line(limit: number): Promise<string> {
    let line = ''
    for (;;) {
      const chunk = await this.#bytes()
      const end = chunk.indexOf(0x0a)
      line += chunk.toString('latin1', 0, end < 0 ? Math.min(chunk.length, limit + 2) : end + 1)
      if (line.length > limit + 2) throw new HttpError(400, 'malformed chunk')
      if (end < 0) continue
      this.intake.putBack(chunk.subarray(end + 1))
      if (!line.endsWith('\r\n')) throw new HttpError(400, 'malformed chunk')
      return line.slice(0, -2)
    }
  }
}

const tooLarge = () => new HttpError(413, 'request body too large')
