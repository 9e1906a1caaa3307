import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { ContentStore } from '../content/index.js'
import { type Digest, isDigest, isTag } from '../oci/index.js'
import { HubError } from './errors.js'
import { putManifest, readDocument } from './manifests.js'
import { isRepositoryName, type Repositories } from './repositories.js'
import { rangeText, type Uploads } from './uploads.js'

export interface HubParts {
  store: ContentStore
  repositories: Repositories
  uploads: Uploads
  readonly: boolean
}

interface Call {
  parts: HubParts
  request: IncomingMessage
  response: ServerResponse
  query: URLSearchParams
  name: string
  /** The rest of the path: a digest, tag or upload. */
  reference: string
}

const INDEX = 'application/vnd.oci.image.index.v1+json'

function digestOfText(text: string | null): Digest {
  if (isDigest(text)) return text
  throw new HubError('DIGEST_INVALID', `invalid digest ${String(text).slice(0, 160)}`)
}

function json(call: Pick<Call, 'request' | 'response'>, status: number, value: unknown, headers: object = {}): void {
  const body = Buffer.from(JSON.stringify(value))
  const type = { 'Content-Type': 'application/json', 'Content-Length': body.length }
  call.response.writeHead(status, { ...type, ...headers })
  call.response.end(call.request.method === 'HEAD' ? undefined : body)
}

/** A part of a sorted list: `n` entries after `last`, and the link to the next part. */
function page(call: Call, path: string, all: readonly string[]): { part: string[]; headers: Record<string, string> } {
  const given = call.query.get('n')
  const n = given === null ? all.length : Number(given)
  if (!Number.isInteger(n) || n < 0) throw new HubError('UNSUPPORTED', `invalid n: ${String(given).slice(0, 32)}`, 400)
  const last = call.query.get('last')
  const rest = last === null ? all : all.filter((it) => it > last)
  const part = rest.slice(0, n)
  const end = part.at(-1)
  if (end === undefined || part.length === rest.length) return { part, headers: {} }
  return { part, headers: { Link: `<${path}?n=${n}&last=${encodeURIComponent(end)}>; rel="next"` } }
}

async function tags(call: Call): Promise<void> {
  const { repositories } = call.parts
  if (!(await repositories.exists(call.name)))
    throw new HubError('NAME_UNKNOWN', 'repository name not known to registry')
  const { part, headers } = page(call, `/v2/${call.name}/tags/list`, await repositories.tags(call.name))
  json(call, 200, { name: call.name, tags: part }, headers)
}

async function referrers(call: Call): Promise<void> {
  const subject = digestOfText(call.reference)
  const wanted = call.query.get('artifactType')
  const all = await call.parts.repositories.referrers(call.name, subject)
  const manifests = all
    .filter(({ artifactType }) => wanted === null || artifactType === wanted)
    .map(({ mediaType, digest, size, artifactType, annotations }) => ({
      mediaType,
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
      ...(annotations !== undefined && { annotations }),
    }))
  const filters = wanted === null ? {} : { 'OCI-Filters-Applied': 'artifactType' }
  json(call, 200, { schemaVersion: 2, mediaType: INDEX, manifests }, { ...filters, 'Content-Type': INDEX })
}

async function manifests(call: Call): Promise<void> {
  const { request, response, parts, name, reference } = call
  const { repositories, store } = parts
  if (request.method === 'PUT') {
    const bytes = await readDocument(request)
    const mediaType = (request.headers['content-type'] ?? '').split(';')[0]!.trim()
    const kept = await putManifest(parts, { name, reference, mediaType, bytes })
    response.writeHead(201, {
      Location: `/v2/${name}/manifests/${kept.digest}`,
      'Docker-Content-Digest': kept.digest,
      ...(kept.subject !== undefined && { 'OCI-Subject': kept.subject }),
      'Content-Length': 0,
    })
    response.end()
    return
  }
  const digest = isDigest(reference)
    ? reference
    : isTag(reference)
      ? await repositories.tag(name, reference)
      : undefined
  const manifest = digest === undefined ? undefined : await repositories.manifest(name, digest)
  if (digest === undefined || manifest === undefined) throw new HubError('MANIFEST_UNKNOWN', 'manifest unknown')
  if (request.method === 'DELETE') {
    if (isDigest(reference)) await repositories.removeManifest(name, digest)
    else await repositories.removeTag(name, reference)
    response.writeHead(202, { 'Content-Length': 0 }).end()
    return
  }
  response.writeHead(200, {
    'Content-Type': manifest.mediaType,
    'Content-Length': manifest.size,
    'Docker-Content-Digest': digest,
    ETag: `"${digest}"`,
  })
  response.end(request.method === 'HEAD' ? undefined : await store.read(digest, manifest.size))
}

/** One `bytes=a-b`; undefined: the whole. */
function range(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (match === null || (match[1] === '' && match[2] === '')) return undefined
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1])
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1)
  if (start > end || start >= size) {
    throw new HubError('SIZE_INVALID', 'the range is outside of the blob', 416, { 'Content-Range': `bytes */${size}` })
  }
  return { start, end }
}

async function blobs(call: Call): Promise<void> {
  const { request, response, parts, name } = call
  const digest = digestOfText(call.reference)
  const size = (await parts.repositories.hasBlob(name, digest)) ? parts.store.sizeOf(digest) : undefined
  if (size === undefined) throw new HubError('BLOB_UNKNOWN', 'blob unknown to registry')
  if (request.method === 'DELETE') {
    await parts.repositories.removeBlob(name, digest)
    response.writeHead(202, { 'Content-Length': 0 }).end()
    return
  }
  const part = request.method === 'HEAD' ? undefined : range(request.headers.range, size)
  response.writeHead(part === undefined ? 200 : 206, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': part === undefined ? size : part.end - part.start + 1,
    'Docker-Content-Digest': digest,
    'Accept-Ranges': 'bytes',
    ETag: `"${digest}"`,
    ...(part !== undefined && { 'Content-Range': `bytes ${part.start}-${part.end}/${size}` }),
  })
  if (request.method === 'HEAD') response.end()
  else await pipeline(parts.store.createReadStream(digest, part ?? {}), response)
}

async function stored(call: Call, digest: Digest): Promise<void> {
  await call.parts.repositories.addBlob(call.name, digest)
  call.response.writeHead(201, {
    Location: `/v2/${call.name}/blobs/${digest}`,
    'Docker-Content-Digest': digest,
    'Content-Length': 0,
  })
  call.response.end()
}

function progress(call: Call, status: number, id: string, size: number): void {
  call.response.writeHead(status, {
    Location: `/v2/${call.name}/blobs/uploads/${id}`,
    Range: rangeText(size),
    'Docker-Upload-UUID': id,
    'OCI-Chunk-Min-Length': 1,
    'Content-Length': 0,
  })
  call.response.end()
}

async function beginUpload(call: Call): Promise<void> {
  const { parts, query, name, request } = call
  const mount = query.get('mount')
  const from = query.get('from')
  if (mount !== null && from !== null && isDigest(mount) && isRepositoryName(from)) {
    if (parts.store.has(mount) && (await parts.repositories.hasBlob(from, mount))) return stored(call, mount)
  }
  const wanted = query.get('digest')
  const digest = wanted === null ? undefined : digestOfText(wanted)
  const id = await parts.uploads.begin(name)
  if (digest === undefined) return progress(call, 202, id, 0)
  await parts.uploads.append(name, id, request)
  await parts.uploads.finish(name, id, digest)
  await stored(call, digest)
}

/** Where a chunk begins, of `Content-Range: <start>-<end>`. */
function chunkStart(request: IncomingMessage): number | undefined {
  const header = request.headers['content-range']
  if (header === undefined) return undefined
  const match = /^(?:bytes )?(\d+)-(\d+)(?:\/.*)?$/.exec(header)
  const length = request.headers['content-length']
  if (match === null || (length !== undefined && Number(match[2]) - Number(match[1]) + 1 !== Number(length))) {
    throw new HubError('BLOB_UPLOAD_INVALID', `invalid Content-Range ${header.slice(0, 80)}`, 416)
  }
  return Number(match[1])
}

async function upload(call: Call): Promise<void> {
  const { request, response, parts, name, reference: id, query } = call
  if (request.method === 'POST') return beginUpload(call)
  if (request.method === 'GET') return progress(call, 204, id, await parts.uploads.size(name, id))
  if (request.method === 'DELETE') {
    await parts.uploads.cancel(name, id)
    response.writeHead(204).end()
    return
  }
  if (request.method === 'PATCH') {
    return progress(call, 202, id, await parts.uploads.append(name, id, request, chunkStart(request)))
  }
  const digest = digestOfText(query.get('digest'))
  await parts.uploads.append(name, id, request, chunkStart(request))
  await parts.uploads.finish(name, id, digest)
  await stored(call, digest)
}

const read = ['GET', 'HEAD']
/** By the words after the repository's name. */
const routes: readonly { path: RegExp; methods: readonly string[]; act: (call: Call) => Promise<void> }[] = [
  { path: /^(.+)\/tags\/list()$/, methods: read, act: tags },
  { path: /^(.+)\/referrers\/([^/]+)$/, methods: read, act: referrers },
  { path: /^(.+)\/blobs\/uploads\/?()$/, methods: ['POST'], act: upload },
  { path: /^(.+)\/blobs\/uploads\/([^/]+)$/, methods: ['GET', 'PATCH', 'PUT', 'DELETE'], act: upload },
  { path: /^(.+)\/manifests\/([^/]+)$/, methods: [...read, 'PUT', 'DELETE'], act: manifests },
  { path: /^(.+)\/blobs\/([^/]+)$/, methods: [...read, 'DELETE'], act: blobs },
]

/** Answers one request. */
export async function handle(parts: HubParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  const url = new URL(request.url ?? '/', 'http://registry')
  const call = { parts, request, response, query: url.searchParams, name: '', reference: '' }
  const path = decodeURIComponent(url.pathname)
  if (path === '/healthz') return json(call, 200, { status: 'ok' })
  if (!path.startsWith('/v2')) throw new HubError('UNSUPPORTED', 'not found', 404)
  if (path === '/v2' || path === '/v2/') return json(call, 200, {})
  const rest = path.slice('/v2/'.length)
  if (rest === '_catalog') {
    const { part, headers } = page(call, '/v2/_catalog', await parts.repositories.names())
    return json(call, 200, { repositories: part }, headers)
  }
  for (const { path: pattern, methods, act } of routes) {
    const match = pattern.exec(rest)
    if (match === null) continue
    const [, name, reference] = match as unknown as [string, string, string]
    if (!isRepositoryName(name)) throw new HubError('NAME_INVALID', 'invalid repository name')
    if (!methods.includes(request.method ?? '')) {
      throw new HubError('UNSUPPORTED', 'the operation is unsupported', undefined, { Allow: methods.join(', ') })
    }
    if (parts.readonly && !read.includes(request.method ?? ''))
      throw new HubError('DENIED', 'this registry is read-only')
    return act({ ...call, name, reference })
  }
  throw new HubError('UNSUPPORTED', 'not found', 404)
}
