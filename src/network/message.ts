import type { Step } from '../native/index.js'
import { Netlink } from '../native/index.js'

/** Flags of a request (linux/netlink.h). */
export const Flag = {
  request: 0x1,
  root: 0x100,
  match: 0x200,
  replace: 0x100,
  excl: 0x200,
  create: 0x400,
  append: 0x800,
} as const

const NESTED = 0x8000

type Patch = [kind: 'namespace' | 'link' | 'port' | 'resolver', value: number]
const patchKinds = { namespace: 0, link: 1, port: 2, resolver: 3 } as const

/** Netlink messages in the kernel's form: little endian, attributes aligned to four bytes. */
export class Messages {
  #buffer = Buffer.alloc(1024)
  #size = 0
  #message = 0
  readonly #patches: [offset: number, kind: number, value: number][] = []
  readonly #names: string[] = []

  constructor(readonly protocol: number) {}

  get empty(): boolean {
    return this.#size === 0
  }

  /** One message: its fixed header, then what `fill` appends. */
  add(type: number, flags: number, header: Uint8Array, fill: (to: Messages) => void = () => {}): this {
    this.#message = this.#size
    this.#room(16)
    this.#buffer.writeUInt16LE(type, this.#size + 4)
    this.#buffer.writeUInt16LE(flags | Flag.request, this.#size + 6)
    this.#size += 16
    this.raw(header)
    fill(this)
    this.#buffer.writeUInt32LE(this.#size - this.#message, this.#message)
    return this
  }

  raw(bytes: Uint8Array): this {
    const padded = (bytes.length + 3) & ~3
    this.#room(padded)
    this.#buffer.set(bytes, this.#size)
    this.#size += padded
    return this
  }

  bytes(type: number, value: Uint8Array): this {
    this.#head(type, value.length)
    return this.raw(value)
  }

  text(type: number, value: string): this {
    return this.bytes(type, Buffer.from(`${value}\0`))
  }

  u8(type: number, value: number): this {
    return this.bytes(type, Buffer.from([value]))
  }

  u32(type: number, value: number): this {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeUInt32LE(value >>> 0)
    return this.bytes(type, bytes)
  }

  /** nfnetlink has its numbers in network byte order. */
  be32(type: number, value: number): this {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeUInt32BE(value >>> 0)
    return this.bytes(type, bytes)
  }

  nested(type: number, fill: (to: Messages) => void): this {
    const at = this.#size
    this.#head(type | NESTED, 0)
    fill(this)
    this.#buffer.writeUInt16LE(this.#size - at, at)
    return this
  }

  /** A u32 attribute that is known only when the messages are sent. */
  u32Later(type: number, kind: 'namespace', value?: undefined): this
  u32Later(type: number, kind: 'link', name: string): this
  u32Later(type: number, kind: 'namespace' | 'link', name?: string): this {
    this.#head(type, 4)
    this.later(this.#size, kind, name)
    return this.raw(Buffer.alloc(4))
  }

  /** Marks a place in what follows: the index of a link, or a port number in network byte order. */
  later(offset: number, kind: Patch[0], value?: string | number): void {
    const number = typeof value === 'string' ? this.#names.push(value) - 1 : (value ?? 0)
    this.#patches.push([offset, patchKinds[kind], number])
  }

  /** Where the message that is being filled begins. */
  get start(): number {
    return this.#message
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#size
  }

  writeU32(offset: number, value: number): void {
    this.#buffer.writeUInt32LE(value, offset)
  }

  done(): Buffer {
    return this.#buffer.subarray(0, this.#size)
  }

  /**
   * The step that sends them.
   *
   * @param where `inside`: in the container's network namespace
   * @param tolerated errnos that are no error
   */
  step(what: string, where: 'inside' | 'outside' = 'outside', tolerated: readonly number[] = []): Step {
    const patches = Buffer.alloc(this.#patches.length * 12)
    for (const [at, values] of this.#patches.entries()) {
      for (const [word, value] of values.entries()) patches.writeUInt32LE(value, at * 12 + word * 4)
    }
    const errors = Buffer.alloc(tolerated.length * 4)
    for (const [at, errno] of tolerated.entries()) errors.writeInt32LE(errno, at * 4)
    return ['netlink', where === 'inside', this.protocol, what, this.done(), patches, this.#names, errors]
  }

  #head(type: number, length: number): void {
    this.#room(4)
    this.#buffer.writeUInt16LE(4 + length, this.#size)
    this.#buffer.writeUInt16LE(type, this.#size + 2)
    this.#size += 4
  }

  #room(size: number): void {
    if (this.#size + size <= this.#buffer.length) return
    const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#size + size))
    this.#buffer.copy(larger, 0, 0, this.#size)
    this.#buffer = larger
  }
}

export const route = (): Messages => new Messages(Netlink.route)

/** One answer of the kernel: type, fixed header and attributes. */
export interface Answer {
  type: number
  header: Buffer
  attributes: Map<number, Buffer>
}

/** Cuts answers apart. */
export function parseAnswers(bytes: Buffer, headerSize: number): Answer[] {
  const answers: Answer[] = []
  for (let at = 0; at + 16 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at)
    if (length < 16 || at + length > bytes.length) break
    const message = bytes.subarray(at, at + length)
    answers.push({
      type: message.readUInt16LE(4),
      header: message.subarray(16, 16 + headerSize),
      attributes: parseAttributes(message.subarray(16 + ((headerSize + 3) & ~3))),
    })
    at += (length + 3) & ~3
  }
  return answers
}

export function parseAttributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at)
    if (length < 4 || at + length > bytes.length) break
    found.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length))
    at += (length + 3) & ~3
  }
  return found
}
