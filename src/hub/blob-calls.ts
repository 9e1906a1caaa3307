import { pipeline } from 'node:stream/promises'
import type { Digest } from '../oci/index.js'
import { isDigest } from '../oci/index.js'
import { type Call, digestOfText } from './call.js'
import { HubError } from './errors.js'
import { chunkStart, rangeOf, rangeText } from './ranges.js'
import { isRepositoryName } from './repositories.js'
import { quotaExceeded } from './space.js'

/** `/v2/<name>/blobs/<digest>` */
export async function blobs(call: Call): Promise<void> {
  const { request, response, parts, name } = call
  const digest = digestOfText(call.reference)
  const here = parts.blobs.size(digest) !== undefined && (await parts.repositories.hasBlob(name, digest))
  const coming = here ? undefined : await parts.upstream?.blob(name, digest)
  const size = here ? parts.blobs.size(digest) : coming?.size
  if (size === undefined) throw new HubError('BLOB_UNKNOWN', 'blob unknown to registry')
  if (request.method === 'DELETE') {
    await parts.repositories.removeBlob(name, digest)
    response.writeHead(202, { 'Content-Length': 0 }).end()
    return
  }
  const part = request.method === 'HEAD' ? undefined : rangeOf(request.headers.range, size)
  response.writeHead(part === undefined ? 200 : 206, {
    'Content-Type': 'application/octet-stream',
    'Content-Length': part === undefined ? size : part.end - part.start + 1,
    'Docker-Content-Digest': digest,
    'Accept-Ranges': 'bytes',
    ETag: `"${digest}"`,
    ...(part !== undefined && { 'Content-Range': `bytes ${part.start}-${part.end}/${size}` }),
  })
  if (request.method === 'HEAD') response.end()
  else if (coming !== undefined) await pipeline(coming.stream(part), response)
  else await parts.blobs.send(digest, part ?? { start: 0, end: size - 1 }, response)
}

function stored(call: Call, digest: Digest): void {
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

async function begin(call: Call): Promise<void> {
  const { parts, query, name, request, access } = call
  const mount = query.get('mount')
  const from = query.get('from')
  if (mount !== null && isDigest(mount) && parts.blobs.size(mount) !== undefined) {
    const theirs =
      from !== null &&
      isRepositoryName(from) &&
      access.may(from, 'pull') &&
      (await parts.repositories.hasBlob(from, mount))
    if (theirs) {
      await parts.repositories.addBlob(name, mount)
      return stored(call, mount)
    }
  }
  const wanted = query.get('digest')
  const digest = wanted === null ? undefined : digestOfText(wanted)
  const length = Number(request.headers['content-length'] ?? 0)
  if ((await parts.space.left()) < length) throw quotaExceeded()
  const id = await parts.uploads.begin(name)
  if (digest === undefined) return progress(call, 202, id, 0)
  await receive(call, id, digest)
}

/** The last part of an upload, and its end. */
async function receive(call: Call, id: string, digest: Digest): Promise<void> {
  const { parts, name, request } = call
  await parts.uploads.append(name, id, request, { start: chunkStart(request), digest })
  await parts.uploads.finish(name, id, digest, () => parts.repositories.addBlob(name, digest))
  stored(call, digest)
}

/** `/v2/<name>/blobs/uploads/...` */
export async function upload(call: Call): Promise<void> {
  const { request, response, parts, name, reference: id, query } = call
  if (parts.upstream !== undefined) throw new HubError('UNSUPPORTED', 'this registry is a cache of another one')
  if (request.method === 'POST') return begin(call)
  if (request.method === 'GET') return progress(call, 204, id, await parts.uploads.size(name, id))
  if (request.method === 'DELETE') {
    await parts.uploads.cancel(name, id)
    response.writeHead(204).end()
    return
  }
  if (request.method === 'PATCH') {
    return progress(call, 202, id, await parts.uploads.append(name, id, request, { start: chunkStart(request) }))
  }
  await receive(call, id, digestOfText(query.get('digest')))
}
