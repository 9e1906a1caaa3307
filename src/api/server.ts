import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import type { Engine } from '../engine/engine.js'
import type { ApiServer, ServeAddress, ServeOptions } from '../engine/serve-types.js'
import { invalidArgument, JubakoError } from '../errors/index.js'
import { checkAllow } from './allow.js'
import { groupId } from './group.js'
import { serveConnection } from './http/connection.js'
import type { HttpError } from './http/head.js'
import { Resident } from './resident.js'
import { routes } from './routes.js'
import { answerError, commonHeaders, serveRequest } from './serve-request.js'

/** A head that takes longer comes from nobody who means it. */
const HEAD_TIMEOUT_MS = 60_000

/**
 * Serves the Docker Engine API.
 *
 * @throws JubakoError ERR_JUBAKO_CONFLICT when another process listens there, ERR_JUBAKO_INVALID_ARGUMENT
 */
export async function serveApi(engine: Engine, options: ServeOptions): Promise<ApiServer> {
  if (options.listen.length === 0) throw invalidArgument('no address to listen on')
  if (options.allow !== undefined) checkAllow(options.allow, new Set(routes.map(([, , operation]) => operation)))
  const resident = new Resident(engine, options.allow)
  const open = new Set<Socket>()
  const onConnection = (socket: Socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    serveConnection(socket, {
      common: commonHeaders,
      headTimeoutMs: HEAD_TIMEOUT_MS,
      handle: (exchange) => serveRequest(resident, exchange),
      refuse: (error: HttpError, reply) => answerError(error, reply),
    }).catch(() => socket.destroy())
  }
  const listeners: Listener[] = []
  const close = async () => {
    const closing = listeners.map((it) => it.close())
    for (const socket of open) socket.destroy()
    resident.close()
    await Promise.all(closing)
  }
  try {
    for (const address of options.listen) listeners.push(await listen(address, onConnection))
  } catch (error) {
    await close()
    throw error
  }
  return { addresses: listeners.map(({ name }) => name), close, [Symbol.asyncDispose]: close }
}

interface Listener {
  name: string
  close(): Promise<void>
}

async function listen(address: ServeAddress, onConnection: (socket: Socket) => void): Promise<Listener> {
  if ('socket' in address) return listenUnix(address, onConnection)
  if ('fd' in address) {
    const server = createServer({ allowHalfOpen: true }, onConnection)
    await bound(server, () => server.listen({ fd: address.fd }), `descriptor ${address.fd}`)
    return { name: `fd://${address.fd}`, close: () => closed(server) }
  }
  const { host, port, tls } = address
  const read = (what: string, path: string) => {
    try {
      return readFileSync(path)
    } catch (cause) {
      throw invalidArgument(`cannot read the ${what}: ${(cause as Error).message}`, { path, cause })
    }
  }
  const server = createTlsServer({
    ca: read('authority of the clients', tls.ca),
    cert: read('certificate', tls.cert),
    key: read('key', tls.key),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    allowHalfOpen: true,
  })
  server.on('secureConnection', onConnection)
  server.on('tlsClientError', (_, socket) => socket.destroy())
  await bound(server, () => server.listen(port, host), `${host}:${port}`)
  const actual = server.address() as { port: number }
  return { name: `tcp://${host}:${actual.port}`, close: () => closed(server) }
}

async function listenUnix(
  { socket: path, mode = 0o660, group }: Extract<ServeAddress, { socket: string }>,
  onConnection: (socket: Socket) => void,
): Promise<Listener> {
  if (!path.startsWith('/')) throw invalidArgument(`the socket's path is not absolute: ${path}`, { path })
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw invalidArgument(`the socket's path is longer than ${MAX_SOCKET_PATH} bytes: ${path}`, {
      path,
      hint: 'use a shorter one',
    })
  }
  const gid = group === undefined ? 0 : groupId(group)
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  if (await answers(path)) {
    throw new JubakoError('ERR_JUBAKO_CONFLICT', `another process listens on ${path}`, {
      path,
      hint: 'end it, or choose another path with -H unix:///...',
    })
  }
  const server = createServer({ allowHalfOpen: true }, onConnection)
  // Nobody may connect before the owner and the mode are right; and a socket that is left over is replaced at once.
  const hidden = mkdtempSync(`${dirname(path)}/.`)
  try {
    const made = `${hidden}/s`
    await bound(server, () => server.listen(made), path)
    chownSync(made, 0, gid)
    chmodSync(made, mode)
    renameSync(made, path)
  } finally {
    rmSync(hidden, { recursive: true, force: true })
  }
  return {
    name: `unix://${path}`,
    close: async () => {
      await closed(server)
      rmSync(path, { force: true })
    },
  }
}

const closed = (server: NetServer): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

function bound(server: NetServer, start: () => void, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new JubakoError('ERR_JUBAKO_SYSTEM', `cannot listen on ${where}: ${cause.message}`, { path: where, cause }),
      )
    })
    server.once('listening', () => {
      server.removeAllListeners('error')
      // A connection that could not be accepted is no reason to end.
      server.on('error', () => {})
      resolve()
    })
    start()
  })
}

/** `sockaddr_un` takes 107 bytes; the socket is made in a directory beside its place. */
const MAX_SOCKET_PATH = 98

/** Whether somebody serves this socket; a file that is left over is no one's. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
