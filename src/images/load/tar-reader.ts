import { JubakoError } from '../../errors/index.js'

/** One member of the outer archive. Names are keys in a table and never become paths. */
export interface TarEntry {
  name: string
  kind: 'file' | 'link' | 'other'
  /** Bytes of a file. */
  size: number
  /** Of a symbolic or hard link. */
  target: string
}

const BLOCK = 512
const LIMITS = { entries: 100_000, extensionBytes: 1024 * 1024, nameBytes: 4096 }

/** Types of POSIX.1-2001 ustar and GNU tar that matter here. */
const KINDS: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'link',
}
const PAX = 'x'
const PAX_GLOBAL = 'g'
const GNU_NAME = 'L'
const GNU_TARGET = 'K'

interface Overrides {
  path?: string
  linkpath?: string
  size?: number
}

/**
 * Reads the outer tar of an image archive from a stream, once, front to back. Strict: a wrong checksum, a bad number or
 * an end without the end mark is an error. Layers inside are read by the jailed unpacker, not by this.
 */
export class TarReader {
  readonly #source: AsyncIterator<Uint8Array>
  #buffer: Buffer = Buffer.alloc(0)
  #left = 0
  #padding = 0
  #entries = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next member; what is left of the last one is skipped. undefined at the archive's end. */
  async next(): Promise<TarEntry | undefined> {
    const overrides: Overrides = {}
    for (;;) {
      await this.#skip(this.#left + this.#padding)
      this.#left = this.#padding = 0
      const header = await this.#take(BLOCK)
      if (header.every((byte) => byte === 0)) return undefined
      if (++this.#entries > LIMITS.entries) throw limit(`the archive has more than ${LIMITS.entries} entries`)
      checkSum(header)
      const type = header.toString('latin1', 156, 157)
      const size = number(header, 124, 12)
      if (type === PAX || type === PAX_GLOBAL || type === GNU_NAME || type === GNU_TARGET) {
        await this.#readExtension(type, size, overrides)
        continue
      }
      return this.#entry(header, type, size, overrides)
    }
  }

  /** The current file's bytes. */
  async *data(): AsyncGenerator<Buffer> {
    while (this.#left > 0) {
      if (this.#buffer.length === 0) await this.#fill()
      const chunk = this.#buffer.subarray(0, this.#left)
      this.#buffer = this.#buffer.subarray(chunk.length)
      this.#left -= chunk.length
      yield chunk
    }
  }

  /** Gives the source up. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }

  #entry(header: Buffer, type: string, headerSize: number, overrides: Overrides): TarEntry {
    const kind = Object.hasOwn(KINDS, type) ? KINDS[type]! : 'other'
    // Members without data may carry a size all the same.
    const size = kind === 'file' ? (overrides.size ?? headerSize) : kind === 'other' ? headerSize : 0
    this.#left = size
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK
    const name = overrides.path ?? headerName(header)
    const target = overrides.linkpath ?? text(header, 157, 100)
    if (name.length > LIMITS.nameBytes || target.length > LIMITS.nameBytes) throw limit('a name is too long')
    return { name, kind, size, target }
  }

  async #readExtension(type: string, size: number, overrides: Overrides): Promise<void> {
    if (size > LIMITS.extensionBytes) throw limit('an extended header is too long')
    const data = await this.#take(size)
    await this.#skip((BLOCK - (size % BLOCK)) % BLOCK)
    if (type === GNU_NAME) overrides.path = text(data, 0, size)
    else if (type === GNU_TARGET) overrides.linkpath = text(data, 0, size)
    else if (type === PAX) parsePax(data, overrides)
  }

  async #take(size: number): Promise<Buffer> {
    while (this.#buffer.length < size) await this.#fill()
    const taken = this.#buffer.subarray(0, size)
    this.#buffer = this.#buffer.subarray(size)
    return taken
  }

  async #skip(size: number): Promise<void> {
    for (let left = size; left > 0; ) {
      if (this.#buffer.length === 0) await this.#fill()
      const step = Math.min(left, this.#buffer.length)
      this.#buffer = this.#buffer.subarray(step)
      left -= step
    }
  }

  async #fill(): Promise<void> {
    const { done, value } = await this.#source.next()
    if (done) throw malformed('the archive is truncated')
    const chunk = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
  }
}

function checkSum(header: Buffer): void {
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!
  if (Number.parseInt(header.toString('latin1', 148, 156).trim(), 8) !== sum)
    throw malformed('not a tar archive, or a damaged one')
}

function number(header: Buffer, at: number, size: number): number {
  // GNU's base-256 form. The sign bit is set in negative numbers, which nothing here may have.
  if (header[at]! & 0x80) {
    let value = header[at]! & 0x7f
    for (let i = 1; i < size; i++) value = value * 256 + header[at + i]!
    if (!Number.isSafeInteger(value)) throw malformed('a number in a tar header is out of range')
    return value
  }
  const digits = header.toString('latin1', at, at + size).replace(/^ +|[ \0]+$/g, '')
  if (digits === '') return 0
  if (!/^[0-7]+$/.test(digits)) throw malformed('a number in a tar header is malformed')
  return Number.parseInt(digits, 8)
}

function text(data: Buffer, at: number, size: number): string {
  const end = data.indexOf(0, at)
  return data.toString('utf8', at, end < 0 || end > at + size ? at + size : end)
}

function headerName(header: Buffer): string {
  const name = text(header, 0, 100)
  const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? text(header, 345, 155) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** Records `<length> <key>=<value>\n` (POSIX.1-2001, pax, "pax Extended Header"). */
function parsePax(data: Buffer, overrides: Overrides): void {
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at)
    const length = Number(space < 0 ? Number.NaN : data.toString('latin1', at, space))
    const end = at + length
    if (!Number.isInteger(length) || length <= space - at || end > data.length || data[end - 1] !== 0x0a) {
      throw malformed('an extended header is malformed')
    }
    const equals = data.indexOf(0x3d, space)
    if (equals < 0 || equals >= end) throw malformed('an extended header is malformed')
    const key = data.toString('utf8', space + 1, equals)
    const value = data.toString('utf8', equals + 1, end - 1)
    if (key === 'path') overrides.path = value
    else if (key === 'linkpath') overrides.linkpath = value
    else if (key === 'size') overrides.size = paxSize(value)
    at = end
  }
}

function paxSize(value: string): number {
  const size = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(size)) throw malformed('a size in an extended header is malformed')
  return size
}

function malformed(message: string): JubakoError {
  return new JubakoError('ERR_JUBAKO_INTEGRITY', `image archive: ${message}`)
}

function limit(message: string): JubakoError {
  return new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `image archive: ${message}`)
}
