import type { Duplex } from 'node:stream'

/** How long a client that was told everything may keep its side of a connection open. */
const GRACE_MS = 2000

/** Ends our side, lets the peer read all that was written, throws away what it still sends, then closes. */
export function closeOrderly(socket: Duplex): void {
  if (socket.destroyed) return
  const check = () => {
    if (!socket.writableFinished) return
    if (socket.readableEnded) socket.destroy()
    else setTimeout(() => socket.destroy(), GRACE_MS).unref()
  }
  socket.once('end', check)
  socket.once('finish', check)
  socket.end()
  socket.resume()
}
