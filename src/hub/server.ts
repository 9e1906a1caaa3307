import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, BlockList, isIP } from 'node:net'
import { resolve } from 'node:path'
import { ContentStore } from '../content/index.js'
import { invalidArgument } from '../errors/index.js'
import { HubError } from './errors.js'
import { handle } from './handler.js'
import { Repositories } from './repositories.js'
import { Uploads } from './uploads.js'

export interface RegistryOptions {
  /** Directory of the registry's content. */
  root: string
  /** Default `127.0.0.1`. */
  host?: string
  /** Default 5000; 0 takes a free one. */
  port?: number
  /** Listen beyond loopback although everybody there may read and write. Default false. */
  insecure?: boolean
  /** Answer reads only. Default false. */
  readonly?: boolean
  /** Largest blob in bytes. Default 100 GiB. */
  maxBlobBytes?: number
  /** Uploads begun and not ended, over all repositories. Default 1000. */
  maxUploads?: number
}

/** A registry that serves. */
export interface RegistryServer {
  /** `http://host:port`. */
  readonly url: string
  readonly port: number
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

function isLoopback(host: string): boolean {
  const family = isIP(host)
  return host === 'localhost' || (family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4'))
}

function answer(error: unknown, response: ServerResponse): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const known =
    error instanceof HubError
      ? error
      : error instanceof URIError || (error as { code?: string }).code === 'ERR_INVALID_URL'
        ? new HubError('NAME_INVALID', 'invalid path')
        : undefined
  const body = JSON.stringify({
    errors: [{ code: known?.code ?? 'UNKNOWN', message: known?.message ?? 'internal error', detail: null }],
  })
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }
  // What is left of a refused body is not read.
  response.writeHead(known?.status ?? 500, { ...headers, ...known?.headers, Connection: 'close' })
  response.end(body)
}

/**
 * Serves a registry (OCI distribution specification 1.1) on a store of its own.
 *
 * @example
 * await using registry = await serveRegistry({ root: '/srv/registry', port: 0 })
 * console.log(registry.url)
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for an address beyond loopback without `insecure`
 */
export async function serveRegistry(options: RegistryOptions): Promise<RegistryServer> {
  const { host = '127.0.0.1', port = 5000 } = options
  if (!isLoopback(host) && !(options.insecure ?? false)) {
    throw invalidArgument(`${host} is refused: everybody who reaches it could read and write`, {
      hint: 'listen on 127.0.0.1, or say insecure',
    })
  }
  const root = resolve(options.root)
  const store = new ContentStore(root)
  const uploads = new Uploads(root, store, {
    blobBytes: options.maxBlobBytes ?? 100 * 2 ** 30,
    uploads: options.maxUploads ?? 1000,
  })
  const parts = { store, repositories: new Repositories(root), uploads, readonly: options.readonly ?? false }
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    handle(parts, request, response).catch((error: unknown) => answer(error, response))
  })
  server.maxConnections = 1024
  server.headersTimeout = 20_000
  // A slow upload of a large blob is no fault; a connection on which nothing moves is.
  server.requestTimeout = 0
  server.timeout = 60_000
  await new Promise<void>((done, failed) => {
    server.once('error', failed)
    server.listen(port, host, done)
  })
  const { port: bound } = server.address() as AddressInfo
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done())
      server.closeAllConnections()
    })
  const shown = isIP(host) === 6 ? `[${host}]` : host
  return { url: `http://${shown}:${bound}`, port: bound, close, [Symbol.asyncDispose]: close }
}
