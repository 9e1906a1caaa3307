import { write, writeSync } from 'node:fs'
import { ExitSignal } from '../exit-codes.js'

/** What a shell sees of a program that a broken pipe killed: 128 + SIGPIPE. */
const BROKEN_PIPE = 141

/**
 * A standard output without a stream object in between: every byte is written when the call returns (or its promise
 * resolves), so the program may exit at once. A broken pipe ends the command quietly.
 */
export class Output {
  constructor(readonly fd: number) {}

  /** Writes text now. For short texts; blocks while the reader is slow. */
  text(text: string): void {
    const data = Buffer.from(text)
    for (let at = 0; at < data.length; ) {
      try {
        at += writeSync(this.fd, data, at)
      } catch (error) {
        if (!isFull(error)) throw translate(error)
        sleepSync(2)
      }
    }
  }

  /** Writes text and a line feed. */
  line(text = ''): void {
    this.text(`${text}\n`)
  }

  /** Writes bytes without blocking the event loop. Await it before the next call: this is the back-pressure. */
  async bytes(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const step = await this.#write(data, at)
      at += step
      if (step === 0) await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  #write(data: Uint8Array, at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.fd, data, at, data.length - at, null, (error, written) => {
        if (error === null) resolve(written)
        else if (isFull(error)) resolve(0)
        else reject(translate(error))
      })
    })
  }
}

/** A pipe or terminal that some other process has made non-blocking, and that is full. */
function isFull(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN'
}

function translate(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code === 'EPIPE' ? new ExitSignal(BROKEN_PIPE) : error
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
