import { mkdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, BlockList, isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { ContentStore, FileLock } from '../content/index.js'
import { invalidArgument, isJubakoError, JubakoError } from '../errors/index.js'
import { watchAccess } from './access-log.js'
import { AccountCheck } from './accounts.js'
import { type Access, Auth } from './auth.js'
import { blobsWithLayers, storedBlobs } from './blob-reader.js'
import type { HubParts } from './call.js'
import { Documents } from './documents.js'
import { HubError } from './errors.js'
import { collectGarbage, type GarbageParts } from './garbage.js'
import { LocalRepositories } from './local-repositories.js'
import { Metrics } from './metrics.js'
import type { RegistryOptions, RegistryServer } from './options.js'
import { originOf } from './origin.js'
import { Pace } from './pace.js'
import { Rules } from './policy.js'
import { Repositories } from './repositories.js'
import { handle } from './router.js'
import { Space } from './space.js'
import { Uploads } from './uploads.js'
import { UpstreamCache } from './upstream.js'
import { WatchedFile } from './watched-file.js'

const HOUR_MS = 3_600_000

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

function isLoopback(host: string): boolean {
  const family = isIP(host)
  return host === 'localhost' || (family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4'))
}

function checkReach({ host = '127.0.0.1', tls, htpasswd, readonly, insecure = false }: RegistryOptions): void {
  if (isLoopback(host) || insecure) return
  const missing = [
    ...(tls === undefined ? ['https (a certificate and its key)'] : []),
    ...(htpasswd === undefined ? ['accounts (an htpasswd file)'] : []),
  ]
  if (missing.length === 0) return
  const danger = htpasswd !== undefined ? 'passwords could be read' : readonly ? 'read' : 'read and write'
  const who = htpasswd !== undefined ? danger : `everybody who reaches it could ${danger}`
  throw invalidArgument(`${host} is refused without ${missing.join(' and ')}: ${who}`, {
    hint: 'listen on 127.0.0.1, or say insecure',
  })
}

function rulesOf({ policy, htpasswd }: RegistryOptions): () => Rules {
  if (typeof policy === 'string') {
    const file = new WatchedFile(policy, (text) => Rules.of(parseJson(text, policy), policy))
    return () => file.value
  }
  const rules =
    policy !== undefined ? Rules.of(policy, 'policy') : htpasswd === undefined ? Rules.everybody : Rules.accountsOnly
  return () => rules
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalidArgument(`${path}: ${(cause as Error).message}`, { path, cause })
  }
}

function hubError(error: unknown): HubError | undefined {
  if (error instanceof HubError) return error
  if (error instanceof URIError || (error as { code?: string }).code === 'ERR_INVALID_URL') {
    return new HubError('NAME_INVALID', 'invalid path')
  }
  // An image that a container uses.
  return isJubakoError(error, 'ERR_JUBAKO_CONFLICT') ? new HubError('DENIED', error.message, 409) : undefined
}

function answer(error: unknown, response: ServerResponse): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const known = hubError(error)
  const body = JSON.stringify({
    errors: [{ code: known?.code ?? 'UNKNOWN', message: known?.message ?? 'internal error', detail: null }],
  })
  const headers: Record<string, string | number> = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...known?.headers,
  }
  response.writeHead(known?.status ?? 500, headers)
  response.end(response.req.method === 'HEAD' ? undefined : body)
  if (!response.req.complete) discardRest(response.req)
}

const DISCARDED_BYTES = 2 ** 24
const DISCARDING_MS = 2000

/**
 * Takes what is left of a refused body, for a while: a connection that is closed while its client sends takes the answer along.
 */
function discardRest(request: IncomingMessage): void {
  let left = DISCARDED_BYTES
  const timer = setTimeout(() => request.socket.destroy(), DISCARDING_MS)
  request.once('close', () => clearTimeout(timer))
  request.on('data', ({ length }: Buffer) => {
    left -= length
    if (left < 0) request.socket.destroy()
  })
  request.resume()
}

/** One registry at a time: what it has in memory is then true. */
function lockOf(root: string): FileLock {
  const lock = FileLock.tryAcquire(join(root, 'registry.lock'))
  if (lock !== undefined) return lock
  throw new JubakoError('ERR_JUBAKO_CONFLICT', `a registry serves ${root} already`, {
    path: root,
    hint: 'stop it, or give this one a root of its own',
  })
}

function makeServer({ tls }: RegistryOptions): Server {
  // The client's address is not asked of a name server, and no header may be longer than Node's 16 KiB.
  if (tls === undefined) return createServer()
  return createSecureServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key), minVersion: 'TLSv1.2' })
}

function makeParts(options: RegistryOptions, root: string, metrics: Metrics, server: Server) {
  const { store: local, htpasswd } = options
  mkdirSync(root, { recursive: true, mode: 0o700 })
  const store = local?.content ?? new ContentStore(root)
  const lock = local?.collectLock ?? join(root, 'collect.lock')
  const repositories = new Repositories(root, lock)
  const space = new Space(store, options.quotaBytes)
  const documents = new Documents(store)
  const uploads = new Uploads(root, store, space, {
    blobBytes: options.maxBlobBytes ?? 100 * 2 ** 30,
    uploads: options.maxUploads ?? 1000,
  })
  const garbage: GarbageParts = { store, repositories, documents, uploads, space, lock }
  if (local !== undefined) garbage.collectStore = () => local.collect()
  const origin = (request: IncomingMessage) =>
    originOf(request, options.tls !== undefined, options.behindProxy ?? false)
  const accounts = htpasswd === undefined ? undefined : new AccountCheck(htpasswd, metrics)
  const parts: HubParts = {
    store,
    documents,
    uploads,
    space,
    metrics,
    blobs: local === undefined ? storedBlobs(store) : blobsWithLayers(store, local),
    repositories: local === undefined ? repositories : new LocalRepositories(repositories, local),
    auth: new Auth(rulesOf(options), accounts, origin),
    upstream:
      options.proxy === undefined
        ? undefined
        : new UpstreamCache(options.proxy, { store, repositories, documents, metrics }),
    readonly: options.readonly ?? false,
    origin,
    connections: () => new Promise((done) => server.getConnections((_, count) => done(count))),
  }
  return { parts, garbage }
}

/**
 * Serves a registry (OCI distribution specification 1.1) from a directory of its own, or from a store of images.
 *
 * @example
 * await using registry = await serveRegistry({ root: '/srv/registry', port: 0 })
 * console.log(registry.url)
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for an address beyond loopback without https and accounts, unless
 * `insecure`; ERR_JUBAKO_CONFLICT when another registry serves this root
 */
export async function serveRegistry(options: RegistryOptions): Promise<RegistryServer> {
  checkReach(options)
  const { host = '127.0.0.1', port = 5000, store: local, onAccess } = options
  const root = resolve(options.root)
  const metrics = new Metrics()
  const server = makeServer(options)
  const { parts, garbage } = makeParts(options, root, metrics, server)
  const lock = lockOf(root)
  try {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      let who: Access | undefined
      watchAccess(
        request,
        response,
        parts.origin(request).address,
        () => who?.account ?? '',
        (entry) => {
          metrics.request(entry)
          onAccess?.(entry)
        },
      )
      handle(parts, request, response, (access) => {
        who = access
      }).catch((error: unknown) => answer(error, response))
    })
    server.maxConnections = 1024
    server.headersTimeout = 20_000
    server.keepAliveTimeout = 65_000
    // A slow upload of a large blob is no fault; one on which next to nothing moves is.
    server.requestTimeout = 0
    await new Promise<void>((done, failed) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        failed(
          cause.code === 'EADDRINUSE'
            ? new JubakoError('ERR_JUBAKO_CONFLICT', `${host}:${port} is in use`, {
                cause,
                hint: 'choose another port',
              })
            : cause,
        ),
      )
      server.listen(port, host, done)
    })
  } catch (error) {
    lock.release()
    await parts.upstream?.close()
    throw error
  }
  const pace = new Pace(server, options.minBytesPerSecond ?? 256, options.paceMs ?? 30_000)
  const { port: bound } = server.address() as AddressInfo
  const shown = isIP(host) === 6 ? `[${host}]` : host
  const address = `${shown}:${bound}`
  const loopbackNames = ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${bound}`)
  const names = [...new Set(['0.0.0.0', '::'].includes(host) ? loopbackNames : [address, ...loopbackNames])]
  const announced = local?.announce(names, parts.readonly || parts.upstream !== undefined)

  const collect = async () => {
    const collected = await collectGarbage(garbage, options.graceMs ?? 24 * HOUR_MS)
    metrics.collections++
    metrics.collectedBytes += collected.bytes
    return collected
  }
  const every = options.collectEveryMs ?? HOUR_MS
  // A failure is one of the disk: the next collection, and every push, meets it again.
  const timer = every > 0 ? setInterval(() => void collect().catch(() => {}), every) : undefined
  timer?.unref()

  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= (async () => {
      clearInterval(timer)
      pace.close()
      announced?.close()
      await new Promise<void>((done) => {
        server.close(() => done())
        server.closeAllConnections()
      })
      await parts.upstream?.close()
      lock.release()
    })()
    return closing
  }
  const url = `${options.tls === undefined ? 'http' : 'https'}://${address}`
  return { url, address, port: bound, collect, close, [Symbol.asyncDispose]: close }
}
