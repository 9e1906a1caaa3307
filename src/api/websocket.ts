import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocketServer } from 'ws'
import type { Call } from './call.js'
import { badRequest } from './errors.js'

/** What a client may send in one message. */
const MAX_MESSAGE_BYTES = 2 ** 20

/** The connection as a websocket (RFC 6455): each message's bytes, whatever its type; binary messages out. */
export async function acceptWebSocket(call: Call): Promise<Duplex> {
  const key = call.header('sec-websocket-key')
  if (call.upgrade?.toLowerCase() !== 'websocket' || key === undefined || !/^[+/0-9A-Za-z]{22}==$/.test(key)) {
    throw badRequest('bad websocket handshake')
  }
  if (call.header('sec-websocket-version') !== '13') throw badRequest('unsupported websocket version')
  const socket = call.takeOverSilently()
  const server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false })
  const request = {
    method: 'GET',
    url: '/',
    headers: { upgrade: 'websocket', 'sec-websocket-key': key, 'sec-websocket-version': '13' },
  }
  return new Promise((resolve) => {
    server.handleUpgrade(request as never, socket, Buffer.alloc(0), (client) => {
      resolve(createWebSocketStream(client, { readableObjectMode: false }))
    })
  })
}
