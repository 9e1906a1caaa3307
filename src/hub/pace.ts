import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { bytesSent } from './send-file.js'

interface Mark {
  socket: Socket
  bytes: number
}

/**
 * Ends connections whose request moves too little: slow readers and writers hold memory and descriptors. A request that the
 * registry itself works on is not counted: nothing is asked of its client.
 */
export class Pace {
  readonly #active = new Map<object, Mark>()
  readonly #timer: NodeJS.Timeout

  /** @param windowMs milliseconds over which it is measured */
  constructor(server: Server, minBytesPerSecond: number, windowMs: number) {
    const least = (minBytesPerSecond * windowMs) / 1000
    server.on('request', (request, response) => {
      this.#active.set(response, { socket: request.socket, bytes: moved(request.socket) })
      response.once('close', () => this.#active.delete(response))
    })
    this.#timer = setInterval(() => {
      for (const [response, mark] of this.#active) {
        const bytes = moved(mark.socket)
        const { request, waiting } = stateOf(response)
        if ((request || waiting) && bytes - mark.bytes < least) mark.socket.destroy()
        mark.bytes = bytes
      }
    }, windowMs)
    this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

const moved = (socket: Socket): number => socket.bytesRead + bytesSent(socket)

/** Whether more of the request is to come, or what was written waits for the client to take it. */
function stateOf(response: object): { request: boolean; waiting: boolean } {
  const { req, writableLength } = response as { req: { complete: boolean }; writableLength: number }
  return { request: !req.complete, waiting: writableLength > 0 }
}
