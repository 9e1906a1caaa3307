/** A name server for tests. */
import { createSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'

/** Answers every question for an IPv4 address with 9.9.9.9, by UDP and TCP, at port 53. */
export function fakeResolver(asked: string[], at = '127.0.0.1') {
  const answer = (query: Buffer): Buffer => {
    const labels: string[] = []
    let at = 12
    while (query[at] !== 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!))
      at += query[at]! + 1
    }
    asked.push(labels.join('.'))
    const isAddress = query.readUInt16BE(at + 1) === 1
    const header = Buffer.from(query.subarray(0, 12))
    header.writeUInt16BE(0x8180, 2)
    header.writeUInt16BE(isAddress ? 1 : 0, 6)
    header.writeUInt32BE(0, 8)
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 9, 9, 9, 9])
    return Buffer.concat([header, query.subarray(12, at + 5), ...(isAddress ? [record] : [])])
  }
  const udp = createSocket('udp4')
  udp.on('message', (query, from) => udp.send(answer(query), from.port, from.address))
  const sockets = new Set<Socket>()
  const tcp: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (query) => {
      const reply = answer(query.subarray(2))
      const size = Buffer.alloc(2)
      size.writeUInt16BE(reply.length)
      socket.write(Buffer.concat([size, reply]))
    })
  })
  return {
    ready: Promise.all([
      new Promise<void>((settle) => udp.bind(53, at, () => settle())),
      new Promise<void>((settle) => tcp.listen(53, at, () => settle())),
    ]),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await Promise.all([
        new Promise<void>((settle) => udp.close(() => settle())),
        new Promise((settle) => tcp.close(settle)),
      ])
    },
  }
}
