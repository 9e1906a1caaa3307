import type { Duplex } from 'node:stream'
import { Body } from './body.js'
import { closeOrderly } from './close.js'
import { bodyLength, endOfHead, type Head, HttpError, hasWord, MAX_HEAD_BYTES, parseHead } from './head.js'
import { Intake } from './intake.js'
import { type Headers, Reply } from './reply.js'

/** One request as the front end hands it on. */
export interface Exchange {
  head: Head
  body: Body
  reply: Reply
  /** Gives up the connection: bytes both ways from here on. Without a status nothing was written. */
  takeOver(status?: number, headers?: Headers): Duplex
}

export interface ConnectionOptions {
  /** Header fields of every answer. */
  common: Headers
  handle(exchange: Exchange): Promise<void>
  /** Answers what never became a request. */
  refuse(error: HttpError, reply: Reply): Promise<void>
  /** Milliseconds a request head may take from its first byte on. */
  headTimeoutMs: number
}

/** What of an unwanted body is read so that the connection can be used again. */
const MAX_DRAIN = 256 * 1024

/** Serves the requests of one connection, one after the other, until either side ends it. */
export async function serveConnection(socket: Duplex, options: ConnectionOptions): Promise<void> {
  const intake = new Intake(socket)
  socket.on('error', () => {})
  try {
    for (;;) {
      const head = await readHead(intake, socket, options)
      if (head === null) break
      const outcome = await serveOne(head, intake, socket, options)
      if (outcome === 'hijacked') return
      if (outcome === 'close') break
    }
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    const reply = new Reply(socket, { method: 'GET', minor: 1 }, options.common, new AbortController().signal)
    reply.close = true
    await options.refuse(error, reply)
  } finally {
    intake.release()
  }
  closeOrderly(socket)
}

async function readHead(intake: Intake, socket: Duplex, options: ConnectionOptions): Promise<Head | null> {
  let read: Buffer = Buffer.alloc(0)
  let timer: NodeJS.Timeout | undefined
  try {
    for (;;) {
      const chunk = await intake.next()
      if (chunk === null) return null
      // Empty lines between requests are allowed for (RFC 9112, 2.2).
      read = read.length === 0 ? skipLines(chunk) : Buffer.concat([read, chunk])
      if (read.length === 0) continue
      timer ??= setTimeout(() => socket.destroy(), options.headTimeoutMs)
      const end = endOfHead(read)
      if (end > MAX_HEAD_BYTES || (end < 0 && read.length > MAX_HEAD_BYTES)) {
        throw new HttpError(431, 'request header too large')
      }
      if (end < 0) continue
      const head = parseHead(read.subarray(0, end))
      intake.putBack(read.subarray(end))
      return head
    }
  } finally {
    clearTimeout(timer)
  }
}

function skipLines(bytes: Buffer): Buffer {
  let at = 0
  while (bytes[at] === 0x0d || bytes[at] === 0x0a) at++
  return at === 0 ? bytes : bytes.subarray(at)
}

async function serveOne(
  head: Head,
  intake: Intake,
  socket: Duplex,
  options: ConnectionOptions,
): Promise<'again' | 'close' | 'hijacked'> {
  const gone = new AbortController()
  const abort = () => gone.abort()
  socket.once('close', abort)
  intake.onEnd = abort
  const reply = new Reply(socket, head, options.common, gone.signal)
  try {
    const length = bodyLength(head)
    const expects = hasWord(head.headers.get('expect'), '100-continue')
    const body = new Body(intake, length, () => {
      if (expects && !reply.begun) socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    })
    const connection = head.headers.get('connection')
    reply.close = hasWord(connection, 'close') || (head.minor === 0 && !hasWord(connection, 'keep-alive'))
    const takeOver = (status?: number, headers: Headers = {}): Duplex => {
      intake.release()
      return reply.hijack(status, headers)
    }
    await options.handle({ head, body, reply, takeOver })
    if (reply.hijacked) return 'hijacked'
    await reply.end()
    if (reply.close || socket.destroyed) return 'close'
    return (await drain(body, expects)) ? 'again' : 'close'
  } finally {
    socket.off('close', abort)
    intake.onEnd = undefined
  }
}

async function drain(body: Body, expects: boolean): Promise<boolean> {
  // A client that waits for "100 Continue" may send the body or not: nothing after it can be told apart.
  if (!body.done && !body.begun && expects) return false
  if (typeof body.length === 'number' && body.length > MAX_DRAIN) return body.done
  try {
    for (let size = 0; !body.done; ) {
      size += (await body.next())?.length ?? 0
      if (size > MAX_DRAIN) return false
    }
  } catch (error) {
    // The answer is out already: there is no second one.
    if (error instanceof HttpError) return false
    throw error
  }
  return true
}
