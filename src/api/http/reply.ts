import type { Duplex, Writable } from 'node:stream'

export const REASONS: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'UPGRADED',
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

export type Headers = Readonly<Record<string, string | number>>

export function headText(status: number, headers: Headers): string {
  let text = `HTTP/1.1 ${status} ${REASONS[status] ?? 'Status'}\r\n`
  // A line feed in a value would be a header of its own.
  for (const [name, value] of Object.entries(headers)) text += `${name}: ${String(value).replace(/[\r\n\0]/g, ' ')}\r\n`
  return `${text}\r\n`
}

/** Writes and waits while the reader is slow. False when nobody reads any more. */
export async function writeAll(
  socket: Writable,
  data: Uint8Array | string,
  encoding: BufferEncoding = 'utf8',
): Promise<boolean> {
  if (socket.destroyed || socket.writableEnded) return false
  if (socket.write(data, encoding)) return true
  await new Promise<void>((resolve) => {
    const done = () => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
  return !socket.destroyed
}

/** The answer to one request. */
export class Reply {
  #state: 'new' | 'streaming' | 'ended' | 'hijacked' = 'new'
  #chunked = false
  /** The connection ends after this answer. */
  close = false

  constructor(
    private readonly socket: Duplex,
    private readonly request: { method: string; minor: number },
    private readonly common: Headers,
    /** Aborted when the client has gone. */
    readonly signal: AbortSignal,
  ) {}

  get begun(): boolean {
    return this.#state !== 'new'
  }

  get hijacked(): boolean {
    return this.#state === 'hijacked'
  }

  json(status: number, value: unknown, headers: Headers = {}): Promise<void> {
    return this.jsonText(status, `${JSON.stringify(value)}\n`, headers)
  }

  jsonText(status: number, text: string, headers: Headers = {}): Promise<void> {
    return this.bytes(status, text, { 'Content-Type': 'application/json', ...headers })
  }

  /** A status without a body. */
  async empty(status: number, headers: Headers = {}): Promise<void> {
    const length = status === 204 || status === 304 ? {} : { 'Content-Length': 0 }
    this.#begin('ended')
    await writeAll(this.socket, headText(status, { ...this.#common(), ...headers, ...length }))
  }

  async bytes(status: number, body: string | Buffer, headers: Headers): Promise<void> {
    this.#begin('ended')
    const length = { 'Content-Length': Buffer.byteLength(body) }
    const head = headText(status, { ...this.#common(), ...headers, ...length })
    if (this.request.method === 'HEAD') await writeAll(this.socket, head)
    else if (typeof body === 'string') {
      // Three times the memory and the work for UTF-8, which ASCII does not need.
      const encoding = length['Content-Length'] === body.length ? 'latin1' : 'utf8'
      await writeAll(this.socket, head + body, encoding)
    } else {
      this.socket.cork()
      this.socket.write(head)
      const written = writeAll(this.socket, body)
      this.socket.uncork()
      await written
    }
  }

  /** Sends the head now; the body follows with {@link write} and {@link end}. */
  start(status: number, headers: Headers = {}): Promise<boolean> {
    this.#begin('streaming')
    this.#chunked = this.request.minor === 1
    if (!this.#chunked) this.close = true
    const framing = this.#chunked ? { 'Transfer-Encoding': 'chunked' } : {}
    return writeAll(this.socket, headText(status, { ...this.#common(), ...headers, ...framing }))
  }

  /** Waits while the client is slow. False when the client has gone. */
  write(data: Uint8Array | string): Promise<boolean> {
    const size = typeof data === 'string' ? Buffer.byteLength(data) : data.length
    if (size === 0) return Promise.resolve(!this.signal.aborted)
    if (!this.#chunked) return writeAll(this.socket, data)
    const line = `${size.toString(16)}\r\n`
    if (typeof data === 'string') return writeAll(this.socket, `${line}${data}\r\n`)
    this.socket.cork()
    this.socket.write(line)
    this.socket.write(data)
    const written = writeAll(this.socket, '\r\n')
    this.socket.uncork()
    return written
  }

  /** Ends the connection in the middle of the answer: the client sees that something is missing. */
  cut(): void {
    this.#state = 'ended'
    this.close = true
    this.socket.destroy()
  }

  async end(): Promise<void> {
    if (this.#state !== 'streaming') return
    this.#state = 'ended'
    if (this.#chunked) await writeAll(this.socket, '0\r\n\r\n')
  }

  /** The answer is the socket itself from here on: what follows is not HTTP. Without a status, not even the head is. */
  hijack(status?: number, headers: Headers = {}): Duplex {
    this.#begin('hijacked')
    if (status !== undefined) this.socket.write(headText(status, { ...this.common, ...headers }))
    return this.socket
  }

  #common(): Headers {
    return this.close ? { ...this.common, Connection: 'close' } : this.common
  }

  #begin(state: 'streaming' | 'ended' | 'hijacked'): void {
    if (this.#state !== 'new') throw new Error('the answer was begun already')
    this.#state = state
  }
}
