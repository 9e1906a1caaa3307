import { Socket } from 'node:net'

/** Frame types; the same numbers as `native/spawn/protocol.h`. */
export const Frame = {
  started: 1,
  failed: 2,
  exit: 3,
  stdout: 4,
  stderr: 5,
  done: 6,
  pidfd: 7,
  result: 8,
  progress: 9,
  implicit: 10,
  fault: 11,
  gone: 12,
  cut: 13,
  idle: 14,
  attach: 64,
  stdin: 65,
  stdinClose: 66,
  resize: 67,
  kill: 68,
  wait: 69,
  getPidfd: 70,
  plan: 71,
  stop: 72,
  policy: 73,
  steps: 74,
  subject: 75,
  prepare: 76,
  title: 77,
  passed: 78,
  grown: 80,
} as const

export const AttachMask = { stdin: 1, stdout: 2, stderr: 4 } as const

const headerSize = 8

/** Encodes one frame. */
export function encodeFrame(type: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const frame = Buffer.allocUnsafe(headerSize + payload.length)
  frame.writeUInt32LE(type, 0)
  frame.writeUInt32LE(payload.length, 4)
  frame.set(payload, headerSize)
  return frame
}

/** Cuts a byte stream into frames. The payload given to `onFrame` may be a view into a buffer that is not reused. */
export class FrameReader {
  #pending: Buffer[] = []
  #size = 0

  constructor(private readonly onFrame: (type: number, payload: Buffer) => void) {}

  push(chunk: Buffer): void {
    this.#pending.push(chunk)
    this.#size += chunk.length
    while (this.#size >= headerSize) {
      const first = this.#pending[0]!
      const buffer = this.#pending.length === 1 ? first : Buffer.concat(this.#pending)
      const length = buffer.readUInt32LE(4)
      if (buffer.length < headerSize + length) {
        this.#pending = [buffer]
        return
      }
      const rest = buffer.subarray(headerSize + length)
      this.#pending = rest.length > 0 ? [rest] : []
      this.#size = rest.length
      this.onFrame(buffer.readUInt32LE(0), buffer.subarray(headerSize, headerSize + length))
    }
  }
}

/** Socket over a connected descriptor of a native call; the socket owns it from here on. */
export function socketFromFd(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true })
}
