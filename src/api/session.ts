import type { Duplex, Writable } from 'node:stream'
import { copyInput, copyOutput, type Sink, type Streams, socketSink } from './streams.js'

export interface Wanted {
  stdin: boolean
  stdout: boolean
  stderr: boolean
}

/** Output that any number of clients read, at the pace of the slowest; with none of them it is read and dropped. */
export class Output {
  readonly #sinks = new Set<Sink>()
  /** Settles when both streams have ended. Rejects never. */
  ended: Promise<void> = Promise.resolve()

  constructor(
    private readonly streams: Streams,
    sinks: readonly Sink[],
  ) {
    for (const sink of sinks) this.#sinks.add(sink)
  }

  get stdin(): Writable | null {
    return this.streams.stdin
  }

  begin(): this {
    const { stdout, stderr } = this.streams
    this.ended = Promise.all([copyOutput(stdout, 1, this.#sinks), copyOutput(stderr, 2, this.#sinks)]).then(
      () => {},
      () => {},
    )
    return this
  }

  leave(sink: Sink): void {
    this.#sinks.delete(sink)
  }
}

export interface SessionOptions {
  wanted: Wanted
  tty: boolean
  /** Byte values that end the session; used with a terminal only. */
  keys: readonly number[]
  /** The end of what the client sends is the end of the process's input. */
  closesStdin: boolean
}

/** What a client of a session reads. */
export function sessionSink(socket: Duplex, { wanted, tty }: SessionOptions): Sink {
  const inner = socketSink(socket, !tty)
  return {
    write(stream, data) {
      if (!(stream === 1 ? wanted.stdout : wanted.stderr)) return Promise.resolve(!socket.destroyed)
      return inner.write(stream, data)
    },
  }
}

/**
 * Connects a hijacked socket with a process until its output ends, the client goes or types the detach keys. The
 * socket is closed at the end, and what the client was sent is never cut short.
 *
 * @returns whether the client detached by its keys
 */
export async function runSession(
  socket: Duplex,
  output: Output,
  sink: Sink,
  options: SessionOptions,
): Promise<'ended' | 'detached' | 'gone'> {
  const gone = new Promise<'gone'>((resolve) => {
    if (socket.destroyed) resolve('gone')
    else socket.once('close', () => resolve('gone'))
  })
  const detached = new Promise<'detached'>((resolve) => {
    const to = options.wanted.stdin ? output.stdin : null
    void copyInput(socket, to, options.tty ? options.keys : [], options.closesStdin).then((how) => {
      if (how === 'detached') resolve(how)
    })
  })
  const how = await Promise.race([output.ended.then(() => 'ended' as const), detached, gone])
  output.leave(sink)
  return how
}
