import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { freeBuffer } from '../native/index.js'

/** Bytes that wait while others are written. */
const MOST_WAITING = 2 ** 19

/** Writes pieces at the end of a file: as many at a time as came in the meantime. */
class Appender {
  #waiting: Buffer[] = []
  #bytes = 0
  #writing: Promise<void> | undefined
  #failure: { error: unknown } | undefined

  constructor(private readonly file: FileHandle) {}

  /** Takes a piece, which is nobody else's from now on. @returns whether there is room for another */
  write(piece: Buffer): boolean {
    this.#waiting.push(piece)
    this.#bytes += piece.length
    this.#writing ??= this.#drain()
    return this.#bytes < MOST_WAITING
  }

  /** Everything is in the file. */
  async done(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Never rejects: the next one to ask is told. */
  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const pieces = this.#waiting
        const bytes = this.#bytes
        this.#waiting = []
        this.#bytes = 0
        const { bytesWritten } = await this.file.writev(pieces)
        // A disk that is almost full took a part; the rest meets its error.
        if (bytesWritten < bytes) await this.file.appendFile(Buffer.concat(pieces).subarray(bytesWritten))
        pieces.forEach(freeBuffer)
      }
    } catch (error) {
      this.#failure = { error }
    }
    this.#writing = undefined
  }
}

/**
 * Appends a request's body to a file. What came before the body broke off, or was refused, is in the file then, and its
 * connection is there still: for the answer.
 *
 * @param see sees each piece before it is written; what it throws ends this
 */
export async function appendBody(body: Readable, path: string, see: (piece: Buffer) => void): Promise<void> {
  const file = await open(path, 'a')
  try {
    const appender = new Appender(file)
    // Not an async iterator: it joins pieces, which costs a copy, and takes the connection along when it ends early.
    await new Promise<void>((done, fail) => {
      body
        .on('data', (piece: Buffer) => {
          try {
            see(piece)
            if (appender.write(piece)) return
            body.pause()
            appender.done().then(() => body.resume(), fail)
          } catch (error) {
            body.removeAllListeners('data').pause()
            fail(error as Error)
          }
        })
        .once('end', done)
        .once('error', fail)
        .once('close', () => fail(new Error('the connection closed')))
    }).finally(() => appender.done())
  } finally {
    await file.close()
  }
}
