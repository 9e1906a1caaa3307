import type { IncomingMessage, ServerResponse } from 'node:http'
import { bytesSent } from './send-file.js'

/** One request, for the access log. */
export interface AccessEntry {
  /** ISO 8601. */
  time: string
  remote: string
  /** Empty: nobody logged in. */
  account: string
  method: string
  /** Without the query, which may hold secrets. */
  path: string
  status: number
  bytesIn: number
  bytesOut: number
  /** Milliseconds. */
  duration: number
  agent: string
}

const LONGEST = 512

/** Tells of a request when it ends, also when its connection breaks. */
export function watchAccess(
  request: IncomingMessage,
  response: ServerResponse,
  remote: string,
  accountOf: () => string,
  tell: (entry: AccessEntry) => void,
): void {
  const started = performance.now()
  const { socket } = request
  const [read, written] = [socket.bytesRead, bytesSent(socket)]
  response.once('close', () => {
    tell({
      time: new Date().toISOString(),
      remote,
      account: accountOf(),
      method: request.method ?? '',
      path: (request.url ?? '').split('?', 1)[0]!.slice(0, LONGEST),
      status: response.writableFinished || response.headersSent ? response.statusCode : 499,
      bytesIn: socket.bytesRead - read,
      bytesOut: bytesSent(socket) - written,
      duration: Math.round((performance.now() - started) * 100) / 100,
      agent: (request.headers['user-agent'] ?? '').slice(0, LONGEST),
    })
  })
}
