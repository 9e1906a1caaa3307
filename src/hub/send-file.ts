import { open } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { freeBuffer, sendFile as sendToSocket } from '../native/index.js'
import type { ByteRange } from './ranges.js'

/** Bytes that go through Node at a time. */
const PIECE = 2 ** 16
/** Most bytes that a thread sends before it does something else. */
const AT_ONCE = 2 ** 22

/** Bytes that went to a socket beside Node. */
const aside = new WeakMap<Socket, number>()

/** Everything that was sent to a client. */
export const bytesSent = (socket: Socket): number => socket.bytesWritten + (aside.get(socket) ?? 0)

/** The descriptor of a connection that is written to as it is, without TLS. */
function descriptorOf(socket: Socket | null): number | undefined {
  const { _handle, encrypted } = (socket ?? {}) as { _handle?: { fd?: number } | null; encrypted?: boolean }
  const fd = _handle?.fd
  return encrypted === true || fd === undefined || fd < 0 ? undefined : fd
}

/** Writes a piece of an answer, and waits until the kernel has it. @throws when the connection closes before */
function writer(response: ServerResponse): (piece: Buffer) => Promise<void> {
  let cut: (() => void) | undefined
  response.once('close', () => cut?.())
  return (piece) =>
    new Promise((done, fail) => {
      cut = () => fail(new Error('the connection closed'))
      if (response.closed) cut()
      else response.write(piece, (error) => (error ? fail(error) : done()))
    })
}

/**
 * Sends a part of a file as the rest of an answer: a piece through Node, which waits until the client takes it, then by
 * `sendfile(2)` what fits into the socket; and so on. The memory for it is one piece.
 *
 * @throws when the connection closes before
 */
export async function sendFile(path: string, { start, end }: ByteRange, response: ServerResponse): Promise<void> {
  const file = await open(path, 'r')
  try {
    const write = writer(response)
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, end + 1 - start))
    for (let at = start; at <= end; ) {
      const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, end + 1 - at), at)
      if (bytesRead === 0) throw new Error('the file became shorter')
      await write(piece.subarray(0, bytesRead))
      at += bytesRead
      const { socket } = response
      for (let fd = descriptorOf(socket); socket !== null && fd !== undefined && at <= end; fd = descriptorOf(socket)) {
        const wanted = Math.min(AT_ONCE, end + 1 - at)
        const sent = await sendToSocket(fd, file.fd, at, wanted)
        at += sent
        aside.set(socket, (aside.get(socket) ?? 0) + sent)
        if (sent < wanted) break
      }
    }
    // After a failure the kernel may still read from it.
    freeBuffer(piece)
  } finally {
    await file.close()
  }
  response.end()
}
