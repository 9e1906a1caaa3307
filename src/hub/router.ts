import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Access } from './auth.js'
import { blobs, upload } from './blob-calls.js'
import { type Call, type HubParts, json, page } from './call.js'
import { HubError } from './errors.js'
import { manifests, referrers, tags } from './manifest-calls.js'
import { servePage } from './page/index.js'
import type { Action } from './policy.js'
import { isRepositoryName } from './repositories.js'

interface Route {
  /** The words after `/v2/`: the repository's name and a reference. */
  path: RegExp
  methods: readonly string[]
  act: (call: Call) => Promise<void>
  /** What `DELETE` and `GET` are here. */
  actions?: { DELETE?: Action; GET?: Action }
}

const read = ['GET', 'HEAD']
const routes: readonly Route[] = [
  { path: /^(.+)\/tags\/list()$/, methods: read, act: tags },
  { path: /^(.+)\/referrers\/([^/]+)$/, methods: read, act: referrers },
  { path: /^(.+)\/blobs\/uploads\/?()$/, methods: ['POST'], act: upload },
  {
    path: /^(.+)\/blobs\/uploads\/([^/]+)$/,
    methods: ['GET', 'PATCH', 'PUT', 'DELETE'],
    act: upload,
    actions: { DELETE: 'push', GET: 'push' },
  },
  { path: /^(.+)\/manifests\/([^/]+)$/, methods: [...read, 'PUT', 'DELETE'], act: manifests },
  { path: /^(.+)\/blobs\/([^/]+)$/, methods: [...read, 'DELETE'], act: blobs },
]

const notFound = () => new HubError('UNSUPPORTED', 'not found', 404)

function onlyRead(request: IncomingMessage): void {
  if (read.includes(request.method ?? '')) return
  throw new HubError('UNSUPPORTED', 'the operation is unsupported', undefined, { Allow: read.join(', ') })
}

function actionOf({ actions = {} }: Route, method: string): Action {
  if (method === 'DELETE') return actions.DELETE ?? 'delete'
  if (read.includes(method)) return actions.GET ?? 'pull'
  return 'push'
}

const MAX_FORM = 16_384

async function form(request: IncomingMessage, query: URLSearchParams): Promise<URLSearchParams> {
  if (request.method !== 'POST') return query
  let text = ''
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    text += (chunk as Buffer).toString('latin1')
    if (text.length > MAX_FORM) throw new HubError('UNSUPPORTED', 'the form is too long', 413)
  }
  return new URLSearchParams(text)
}

/**
 * Answers one request.
 *
 * @param onAccess told who asks
 */
export async function handle(
  parts: HubParts,
  request: IncomingMessage,
  response: ServerResponse,
  onAccess: (access: Access) => void,
): Promise<void> {
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  const target = request.url ?? '/'
  if (!target.startsWith('/')) throw new HubError('NAME_INVALID', 'invalid path')
  const url = new URL(`http://registry${target}`)
  const query = url.searchParams
  const path = decodeURIComponent(url.pathname)
  if (path === '/healthz') {
    onlyRead(request)
    return json({ request, response }, 200, { status: 'ok' })
  }
  if (path === '/token') {
    if (request.method !== 'POST') onlyRead(request)
    return json({ request, response }, 200, await parts.auth.token(request, await form(request, query)))
  }
  const access = await parts.auth.access(request)
  onAccess(access)
  if (path === '/metrics') return metrics(parts, request, response, access)
  if (path === '/') {
    onlyRead(request)
    return servePage({ parts, request, response, access, query })
  }
  if (!/^\/v2(\/|$)/.test(path)) throw notFound()
  const challenged = parts.auth.hasAccounts && access.account === undefined
  if (path === '/v2' || path === '/v2/') {
    // Even who may pull without an account is asked to log in here: it is how clients learn that they can.
    if (challenged && request.headers.authorization === undefined) throw parts.auth.login(request)
    onlyRead(request)
    return json({ request, response }, 200, {})
  }
  const rest = path.slice('/v2/'.length)
  if (rest === '_catalog') {
    onlyRead(request)
    const names = (await parts.repositories.names()).filter((name) => parts.auth.sees(access.account, name))
    if (names.length === 0 && challenged) throw parts.auth.login(request)
    const { part, headers } = page({ query }, '/v2/_catalog', names)
    return json({ request, response }, 200, { repositories: part }, headers)
  }
  return repositoryCall({ parts, request, response, access, query, name: '', reference: '' }, rest)
}

async function repositoryCall(call: Call, rest: string): Promise<void> {
  const { parts, request, access } = call
  const method = request.method ?? ''
  for (const route of routes) {
    const match = route.path.exec(rest)
    if (match === null) continue
    const [, name, reference] = match as unknown as [string, string, string]
    if (!isRepositoryName(name)) throw new HubError('NAME_INVALID', 'invalid repository name')
    if (!route.methods.includes(method)) {
      throw new HubError('UNSUPPORTED', 'the operation is unsupported', undefined, { Allow: route.methods.join(', ') })
    }
    const action = actionOf(route, method)
    if (!access.may(name, action)) {
      throw access.refusal(name, action === 'push' ? ['pull', 'push'] : [action])
    }
    if (parts.readonly && !read.includes(method)) throw new HubError('DENIED', 'this registry is read-only')
    return route.act({ ...call, name, reference })
  }
  throw notFound()
}

/** Numbers tell no names, but are not for everybody when there are accounts. */
async function metrics(
  parts: HubParts,
  request: IncomingMessage,
  response: ServerResponse,
  access: Access,
): Promise<void> {
  onlyRead(request)
  if (parts.auth.hasAccounts && access.account === undefined) {
    throw new HubError('UNAUTHORIZED', 'authentication required', undefined, {
      'WWW-Authenticate': 'Basic realm="metrics"',
    })
  }
  const text = parts.metrics.text({
    stored_bytes: ['Bytes of content.', await parts.space.used()],
    uploads: ['Uploads begun and not ended.', await parts.uploads.count()],
    repositories: ['Repositories.', (await parts.repositories.names()).length],
    connections: ['Connections that are open.', await parts.connections()],
    resident_memory_bytes: ['Memory of the process.', process.memoryUsage.rss()],
  })
  response.writeHead(200, {
    'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
  })
  response.end(request.method === 'HEAD' ? undefined : text)
}
