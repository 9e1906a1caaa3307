import { closeSync, constants, openSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { JubakoError } from '../errors/index.js'
import {
  AttachMask,
  decodeFailure,
  encodeFrame,
  encodeStepLists,
  Frame,
  FrameReader,
  type RestartPlan,
  RestartPolicyNumber,
  type Step,
} from '../native/index.js'
import { setupError } from './setup-error.js'

/** How a container's or exec's first process ended; `ExitInfo` of native/spawn/protocol.h. */
export interface ExitInfo {
  exitCode: number
  /** Signal number, 0 if it exited by itself. */
  signal: number
  oomKilled: boolean
  startedAt: number
  finishedAt: number
  /** It is started again. */
  restarting?: boolean
  /** Restarts so far, this one included. */
  restartCount?: number
  /** Why the last restart failed. */
  error?: string
}

export function decodeExit(payload: Buffer): ExitInfo {
  return {
    exitCode: payload.readInt32LE(0),
    signal: payload.readInt32LE(4),
    oomKilled: payload.readInt32LE(8) !== 0,
    restarting: payload.readInt32LE(12) !== 0,
    startedAt: Number(payload.readBigInt64LE(16)),
    finishedAt: Number(payload.readBigInt64LE(24)),
  }
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32LE(value)
  return bytes
}

/** Frames of requests to a supervisor. */
export const requests = {
  kill: (signal: number) => encodeFrame(Frame.kill, int32(signal)),
  /** A signal after which it is not started again. */
  stop: (signal: number) => encodeFrame(Frame.stop, int32(signal)),
  policy: ({ policy, maxRetries }: RestartPlan) => {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeUInt32LE(RestartPolicyNumber[policy], 0)
    bytes.writeUInt32LE(maxRetries, 4)
    return encodeFrame(Frame.policy, bytes)
  },
  /** What events are about from now on (EventPlan). */
  subject: (text: string) => encodeFrame(Frame.subject, Buffer.from(text)),
  wait: () => encodeFrame(Frame.wait),
  attach: (mask: number) => encodeFrame(Frame.attach, int32(mask)),
  resize: (columns: number, rows: number) => {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeUInt16LE(rows, 0)
    bytes.writeUInt16LE(columns, 2)
    return encodeFrame(Frame.resize, bytes)
  },
}

const maxStdinFrame = 64 * 1024

const cutOff = (): JubakoError =>
  new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', 'the output was cut off here: it was not read for too long', {
    hint: 'what followed is in the log: jubako logs CONTAINER',
  })

/**
 * Standard streams that travel as frames of one socket. A stream that nobody reads holds up the others. The container waits
 * for a reader that is slow, but not for one that does not read; when such a one is a GiB behind, its streams end with
 * ERR_JUBAKO_LIMIT_EXCEEDED.
 */
export class FramedStreams {
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  #full = new Set<Readable>()
  #cut = false

  constructor(
    private readonly socket: Socket,
    mask: number,
  ) {
    this.stdout = mask & AttachMask.stdout ? this.#readable() : null
    this.stderr = mask & AttachMask.stderr ? this.#readable() : null
    this.stdin = mask & AttachMask.stdin ? this.#writable() : null
  }

  /** @returns whether the frame was one of a stream */
  accept(type: number, payload: Buffer): boolean {
    if (type === Frame.cut) {
      this.#cut = true
      this.end()
      return true
    }
    const stream = type === Frame.stdout ? this.stdout : type === Frame.stderr ? this.stderr : undefined
    if (stream === undefined) return false
    if (stream !== null && !stream.destroyed && !stream.push(payload)) {
      this.#full.add(stream)
      this.socket.pause()
    }
    return true
  }

  end(): void {
    for (const stream of [this.stdout, this.stderr]) if (stream !== null && !stream.destroyed) stream.push(null)
    if (this.stdin !== null && !this.stdin.destroyed) this.stdin.destroy()
  }

  #readable(): Readable {
    const stream: Readable = new Readable({
      highWaterMark: 256 * 1024,
      read: () => {
        if (this.#full.delete(stream) && this.#full.size === 0) this.socket.resume()
      },
      destroy: (error, done) => {
        if (this.#full.delete(stream) && this.#full.size === 0) this.socket.resume()
        // After its end: everything that came has been read.
        done(error ?? (this.#cut && stream === (this.stdout ?? this.stderr) ? cutOff() : null))
      },
    })
    return stream
  }

  #writable(): Writable {
    const { socket } = this
    return new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (socket.destroyed) return done()
        let last = 0
        for (let at = 0; at < chunk.length; at = last) {
          last = Math.min(at + maxStdinFrame, chunk.length)
          const frame = encodeFrame(Frame.stdin, chunk.subarray(at, last))
          if (last < chunk.length) socket.write(frame)
          else socket.write(frame, () => done())
        }
        if (chunk.length === 0) done()
      },
      final(done) {
        if (socket.destroyed) return done()
        socket.write(encodeFrame(Frame.stdinClose), () => done())
      },
    })
  }
}

/** Longest socket path that sockaddr_un takes, less some. */
const maxSocketPath = 100

/** Connects to a supervisor's socket, whatever the length of its path. */
export async function connectTo(path: string): Promise<Socket> {
  let directory: number | undefined
  try {
    let address = path
    if (Buffer.byteLength(path) > maxSocketPath) {
      directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
      address = `/proc/self/fd/${directory}/${path.slice(path.lastIndexOf('/') + 1)}`
    }
    return await new Promise<Socket>((resolve, reject) => {
      const socket = connect({ path: address, allowHalfOpen: true })
      socket.once('connect', () => {
        socket.removeAllListeners('error')
        resolve(socket)
      })
      socket.once('error', reject)
    })
  } finally {
    if (directory !== undefined) closeSync(directory)
  }
}

const gone = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTDIR'])

/** A connection to a running container's supervisor; null when it does not run (any more). */
export async function connectIfRunning(path: string): Promise<Socket | null> {
  try {
    return await connectTo(path)
  } catch (error) {
    if (gone.has((error as NodeJS.ErrnoException).code ?? '')) return null
    throw new JubakoError('ERR_JUBAKO_SYSTEM', `cannot reach the container's supervisor`, { path, cause: error })
  }
}

/** Sends one request and gives the errno of its `done` frame; null when the supervisor went before it answered. */
export async function request(path: string, frame: Buffer): Promise<number | null> {
  const socket = await connectIfRunning(path)
  if (socket === null) return null
  return new Promise((resolve) => {
    const reader = new FrameReader((type, payload) => {
      if (type !== Frame.done) return
      resolve(payload.readInt32LE(0))
      socket.destroy()
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => resolve(null))
    socket.on('end', () => socket.destroy())
    socket.write(frame)
  })
}

/** Waits for a running container's exit; null when the supervisor went without telling. */
export async function waitForExit(path: string, signal?: AbortSignal): Promise<ExitInfo | null> {
  const socket = await connectIfRunning(path)
  if (socket === null) return null
  return new Promise((resolve, reject) => {
    let exit: ExitInfo | null = null
    const reader = new FrameReader((type, payload) => {
      if (type === Frame.exit) exit = decodeExit(payload)
    })
    const abort = () => {
      socket.destroy()
      reject(new JubakoError('ERR_JUBAKO_ABORTED', 'the wait was aborted', { cause: signal?.reason }))
    }
    signal?.addEventListener('abort', abort, { once: true })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => {})
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      signal?.removeEventListener('abort', abort)
      resolve(exit)
    })
    socket.write(requests.wait())
  })
}

/** Steps about the networks of a running container. */
export interface SentSteps {
  now: readonly Step[]
  /** Undoes `now` when a step of it fails. */
  reverse: readonly Step[]
  /** What connects it in its later lives, and what takes it out when all is over, instead of what was sent before. */
  later: readonly Step[]
  end: readonly Step[]
}

/**
 * Has a container's supervisor run steps.
 *
 * @throws JubakoError of the step that failed, or ERR_JUBAKO_STATE when the container does not run
 */
export async function runSteps(path: string, steps: SentSteps, what: string): Promise<void> {
  const socket = await connectIfRunning(path)
  const stopped = () => new JubakoError('ERR_JUBAKO_STATE', `${what}: it is not running`)
  if (socket === null) throw stopped()
  try {
    await new Promise<void>((resolve, reject) => {
      const reader = new FrameReader((type, payload) => {
        if (type !== Frame.failed) return
        const failure = decodeFailure(payload)
        if (failure.errno === 0) resolve()
        else reject(setupError(failure, what))
      })
      socket.on('data', (chunk: Buffer) => reader.push(chunk))
      socket.on('error', () => {})
      socket.on('close', () => reject(stopped()))
      const { now, reverse, later, end } = steps
      socket.write(encodeFrame(Frame.steps, encodeStepLists(now, reverse, later, end)))
    })
  } finally {
    socket.destroy()
  }
}
