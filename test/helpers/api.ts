import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { JUBAKO } from './cli.js'
import { TOOL_ENV } from './processes.js'

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: of what shape it is says the test
  json<T = any>(): T
}

/** One request by Node's own client. */
export function call(socketPath: string, method: string, path: string, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const isText = typeof body === 'string' || Buffer.isBuffer(body)
    const data = body === undefined ? undefined : isText ? body : JSON.stringify(body)
    const headers = {
      ...(data !== undefined && { 'Content-Type': Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json' }),
      ...(data !== undefined && { 'Content-Length': Buffer.byteLength(data) }),
    }
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('latin1')
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: () => JSON.parse(text) as never,
        })
      })
    })
    sent.on('error', reject)
    sent.end(data)
  })
}

/** A connection for bytes: what was received, and a promise of its end. */
export class Wire {
  readonly socket: Socket
  received: Buffer = Buffer.alloc(0)
  readonly ended: Promise<void>

  constructor(path: string, text: string) {
    this.socket = connect({ path, allowHalfOpen: true })
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk])
    })
    this.socket.on('error', () => {})
    this.ended = new Promise((resolve) => {
      this.socket.on('end', () => {
        this.socket.end()
        resolve()
      })
      this.socket.on('close', () => resolve())
    })
    this.socket.write(text)
  }

  /** Waits until what was received holds this text. */
  async sees(text: string, timeoutMs = 30_000): Promise<void> {
    for (const end = Date.now() + timeoutMs; !this.received.includes(text); ) {
      if (Date.now() > end)
        throw new Error(`not received: ${text} in ${this.received.toString('latin1').slice(0, 500)}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** What came after the head. */
  get body(): Buffer {
    return this.received.subarray(this.received.indexOf('\r\n\r\n') + 4)
  }
}

/** Takes the multiplexed framing apart. */
export function demultiplex(bytes: Buffer): { stream: number; data: Buffer }[] {
  const frames: { stream: number; data: Buffer }[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at + 4)
    frames.push({ stream: bytes[at]!, data: bytes.subarray(at + 8, at + 8 + size) })
    at += 8 + size
  }
  return frames
}

export const output = (bytes: Buffer, stream: number): string =>
  Buffer.concat(demultiplex(bytes).flatMap((it) => (it.stream === stream ? [it.data] : []))).toString('latin1')

export interface Serving {
  child: ChildProcessWithoutNullStreams
  /** Resolves with the exit code, or minus one for a signal. */
  ended: Promise<number>
}

/** Starts `jubako serve` in a process of its own; resolves when it listens. */
export async function startServe(
  places: { root: string; runRoot: string },
  arguments_: readonly string[],
  env: Record<string, string> = {},
): Promise<Serving> {
  const words = ['--root', places.root, '--run-root', places.runRoot, 'serve', ...arguments_]
  const child = spawn(JUBAKO, words, { env: { ...TOOL_ENV, ...env } })
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)))
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('listening on')) resolve()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    child.on('close', () => reject(new Error(`jubako serve ended: ${said}`)))
  })
  return { child, ended }
}
