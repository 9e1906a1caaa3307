import { pipeline, type Readable, Transform, type TransformCallback } from 'node:stream'
import * as zlib from 'node:zlib'
import { JubakoError } from '../../errors/index.js'

/** Decoders of formats that this Node has none for, as the engine hands them in. */
export type OuterDecoders = Partial<Record<'zstd' | 'xz', (input: Readable) => Readable>>

const FORMATS: readonly { name: OuterFormat; magic: readonly number[] }[] = [
  { name: 'gzip', magic: [0x1f, 0x8b] },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68] },
]

/** Decoded bytes may reach this multiple of the encoded ones ... */
const MAX_RATIO = 64
/** ... and this many whatever the ratio. */
const RATIO_FLOOR = 2 ** 30

/** The archive's bytes, decoded if they begin like something compressed. */
export async function decodeOuter(input: Readable, decoders: OuterDecoders): Promise<AsyncIterable<Uint8Array>> {
  const { format, whole } = await detect(input)
  return format === undefined ? whole : decode(whole, format, decoders)
}

export type OuterFormat = 'gzip' | 'zstd' | 'xz' | 'bzip2'

/** What the bytes begin like, and all of them. */
export async function detect(
  input: Readable,
): Promise<{ format: OuterFormat | undefined; whole: AsyncIterable<Buffer> }> {
  const iterator = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let head = Buffer.alloc(0)
  while (head.length < 6) {
    const { done, value } = await iterator.next()
    if (done) break
    head = Buffer.concat([head, value])
  }
  const format = FORMATS.find(({ magic }) => magic.every((byte, i) => head[i] === byte))
  return { format: format?.name, whole: prepend(head, iterator) }
}

export function decode(
  whole: AsyncIterable<Buffer>,
  format: OuterFormat,
  decoders: OuterDecoders,
): AsyncIterable<Uint8Array> {
  const counter = { bytes: 0 }
  const decoder = decoderFor(format, decoders)
  return limitRatio(decoder(counted(whole, counter)), counter, format)
}

async function* prepend(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

function counted(source: AsyncIterable<Buffer>, counter: { bytes: number }): Readable {
  const count = new Transform({
    transform(chunk: Buffer, _encoding, callback: TransformCallback) {
      counter.bytes += chunk.length
      callback(null, chunk)
    },
  })
  // Errors reach the reader of the last stream.
  pipeline(source, count, () => undefined)
  return count
}

function decoderFor(name: string, decoders: OuterDecoders): (input: Readable) => Readable {
  if (name === 'gzip') return (input) => pipeline(input, zlib.createGunzip(), () => undefined)
  const given = name === 'zstd' || name === 'xz' ? decoders[name] : undefined
  if (given !== undefined) return given
  if (name === 'zstd' && 'createZstdDecompress' in zlib) {
    const create = zlib.createZstdDecompress as () => Transform
    return (input) => pipeline(input, create(), () => undefined)
  }
  throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `image archive: ${name} compression is not supported here`, {
    hint: `decompress it on the way in, for example: ${name} -dc image.tar.${name} | jubako load`,
  })
}

async function* limitRatio(decoded: Readable, input: { bytes: number }, name: string): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    for await (const chunk of decoded as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > RATIO_FLOOR && bytes > MAX_RATIO * input.bytes) {
        throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', 'image archive: expands too much, a decompression bomb')
      }
      yield chunk
    }
  } catch (cause) {
    if (cause instanceof JubakoError) throw cause
    throw new JubakoError('ERR_JUBAKO_INTEGRITY', `image archive: damaged ${name} data`, { cause })
  }
}
