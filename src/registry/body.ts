import type { Readable } from 'node:stream'
import { JubakoError } from '../errors/index.js'
import { ConnectionFailure } from './failures.js'
import type { Deadlines } from './options.js'

/**
 * Reads a body with a deadline: when it brings less than the wanted rate over the stall time, it is cut. Only time spent
 * waiting for the network counts, not the reader's own.
 *
 * @throws ConnectionFailure on a stall
 */
export async function* readWithDeadline(body: Readable, deadlines: Deadlines): AsyncGenerator<Buffer> {
  const enough = (deadlines.stallMs / 1000) * deadlines.stallBytesPerSecond
  const iterator = body[Symbol.asyncIterator]()
  let waitedMs = 0
  let bytes = 0
  try {
    for (;;) {
      const from = performance.now()
      const next = await nextInTime(body, iterator, deadlines.stallMs - waitedMs)
      if (next.done) return
      waitedMs += performance.now() - from
      bytes += next.value.length
      if (bytes >= enough) waitedMs = bytes = 0
      yield next.value
    }
  } finally {
    body.destroy()
  }
}

async function nextInTime(
  body: Readable,
  iterator: AsyncIterator<Buffer>,
  leftMs: number,
): Promise<IteratorResult<Buffer>> {
  const stalled = new ConnectionFailure('the answer stalled')
  if (leftMs <= 0) {
    body.on('error', () => undefined).destroy(stalled)
    throw stalled
  }
  const timer = setTimeout(() => body.destroy(stalled), leftMs)
  try {
    return await iterator.next()
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Reads a whole small body.
 *
 * @param limit bytes
 * @throws JubakoError `ERR_JUBAKO_LIMIT_EXCEEDED` as soon as there are more
 */
export async function readAll(body: Readable, limit: number, deadlines: Deadlines, what: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of readWithDeadline(body, deadlines)) {
    size += chunk.length
    if (size > limit) throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `${what} is larger than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const DISCARD_BYTES = 64 * 1024
const DISCARD_MS = 2000

/** Reads what little is left of an answer that nobody wants, so that its connection can be used again. */
export function discardBody(body: Readable): void {
  let left = DISCARD_BYTES
  const timer = setTimeout(() => body.destroy(), DISCARD_MS).unref()
  body
    .on('error', () => undefined)
    .on('close', () => clearTimeout(timer))
    .on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) body.destroy()
    })
}

const ERROR_BODY_LIMIT = 64 * 1024

/** The codes and messages of an error body on one line, without control characters. Never throws. */
export async function readErrorDetail(body: Readable, deadlines: Deadlines): Promise<string> {
  try {
    const bytes = await readAll(body, ERROR_BODY_LIMIT, deadlines, 'error')
    const { errors } = JSON.parse(bytes.toString()) as { errors?: { code?: unknown; message?: unknown }[] }
    return (errors ?? [])
      .slice(0, 4)
      .map(({ code, message }) => [code, message].filter((part) => typeof part === 'string').join(': '))
      .join(', ')
      .replace(/[^\x20-\x7e]+/g, ' ')
      .slice(0, 512)
  } catch {
    return ''
  }
}
