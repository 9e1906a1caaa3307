import type { Duplex, Readable, Writable } from 'node:stream'
import { DetachScanner } from './detach-keys.js'
import { writeAll } from './http/reply.js'

/** A process's standard streams as an attachment or exec gives them. */
export interface Streams {
  stdin: Writable | null
  stdout: Readable | null
  stderr: Readable | null
}

export const RAW_STREAM = 'application/vnd.docker.raw-stream'
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream'

/** The kind of stream that a client of this version is told of. */
export function streamType(tty: boolean, version: number): string {
  return tty || version < 42 ? RAW_STREAM : MULTIPLEXED_STREAM
}

/** Number of a stream in the multiplexed framing. */
export const STREAM = { stdin: 0, stdout: 1, stderr: 2, systemError: 3 } as const

/** Where output goes: frames or plain bytes. */
export interface Sink {
  /** Waits while the reader is slow. False when nobody reads any more. */
  write(stream: 1 | 2 | 3, data: Buffer): Promise<boolean>
}

export function frameHeader(stream: number, length: number): Buffer {
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(length, 4)
  return header
}

/** A socket as a sink: multiplexed, or raw for a terminal. */
export function socketSink(socket: Duplex, multiplexed: boolean): Sink {
  return {
    write(stream, data) {
      if (!multiplexed) return writeAll(socket, data)
      if (socket.destroyed || socket.writableEnded) return Promise.resolve(false)
      socket.cork()
      socket.write(frameHeader(stream, data.length))
      const written = writeAll(socket, data)
      socket.uncork()
      return written
    },
  }
}

/** Copies output to all who read it until its end. A sink that nobody reads any more is taken out. */
export async function copyOutput(from: Readable | null, stream: 1 | 2, sinks: Set<Sink>): Promise<void> {
  if (from === null) return
  const give = async (sink: Sink, data: Buffer) => {
    if (!(await sink.write(stream, data))) sinks.delete(sink)
  }
  try {
    for await (const chunk of from) {
      if (sinks.size === 1) for (const sink of sinks) await give(sink, chunk as Buffer)
      else await Promise.all([...sinks].map((sink) => give(sink, chunk as Buffer)))
    }
  } catch (error) {
    // Destroyed by a detach.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

/**
 * Copies what a client sends to a process. Resolves with `detached` when the detach keys were typed, with `ended` when
 * the client sends no more; input is closed then.
 *
 * @param keys byte values of the detach keys; empty for none
 * @param closes whether the end of what the client sends is the end of the process's input
 */
export async function copyInput(
  socket: Duplex,
  to: Writable | null,
  keys: readonly number[],
  closes: boolean,
): Promise<'detached' | 'ended'> {
  const scanner = new DetachScanner(keys)
  to?.on('error', () => {})
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const { pass, detached } = scanner.push(chunk as Buffer)
      // What the process does not take any more is thrown away.
      if (to !== null && pass.length > 0) await writeAll(to, pass)
      if (detached) return 'detached'
    }
  } catch {
    // The connection broke: as if it had ended.
  }
  if (closes && to !== null && !to.destroyed) to.end()
  return 'ended'
}
