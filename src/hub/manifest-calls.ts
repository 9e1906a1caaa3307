import { type Digest, isDigest, isTag, OCI_INDEX } from '../oci/index.js'
import { type Call, digestOfText, json, page } from './call.js'
import { HubError } from './errors.js'
import { putManifest, readDocument } from './manifests.js'
import { allReferrers } from './referrers.js'
import type { StoredManifest } from './repositories.js'

async function put(call: Call): Promise<void> {
  const { request, response, parts, name, reference } = call
  if (parts.upstream !== undefined) throw new HubError('UNSUPPORTED', 'this registry is a cache of another one')
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
}

async function find({ parts, name, reference }: Call): Promise<[Digest, StoredManifest] | undefined> {
  const { repositories } = parts
  if (!isDigest(reference) && !isTag(reference)) return undefined
  const digest = isDigest(reference) ? reference : await repositories.tag(name, reference)
  const manifest = digest === undefined ? undefined : await repositories.manifest(name, digest)
  // It is named before it is here: a crash in between leaves the name.
  return digest === undefined || manifest === undefined || !parts.store.has(digest) ? undefined : [digest, manifest]
}

/** `/v2/<name>/manifests/<tag or digest>` */
export async function manifests(call: Call): Promise<void> {
  const { request, response, parts, name, reference } = call
  if (request.method === 'PUT') return put(call)
  const { repositories, upstream } = parts
  const reads = request.method !== 'DELETE'
  if (reads && upstream !== undefined && (isDigest(reference) || isTag(reference)))
    await upstream.manifest(name, reference)
  const found = await find(call)
  if (found === undefined) throw new HubError('MANIFEST_UNKNOWN', 'manifest unknown')
  const [digest, manifest] = found
  if (!reads) {
    if (isDigest(reference)) await repositories.removeManifest(name, digest)
    else await repositories.removeTag(name, reference)
    response.writeHead(202, { 'Content-Length': 0 }).end()
    return
  }
  const etag = `"${digest}"`
  const headers = { 'Docker-Content-Digest': digest, ETag: etag }
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end()
    return
  }
  const bytes = request.method === 'HEAD' ? undefined : await parts.documents.read(digest)
  response.writeHead(200, { 'Content-Type': manifest.mediaType, 'Content-Length': manifest.size, ...headers })
  response.end(bytes)
}

/** `/v2/<name>/tags/list` */
export async function tags(call: Call): Promise<void> {
  const { name, parts } = call
  const theirs = await parts.upstream?.tags(name)
  if (theirs === undefined && !(await parts.repositories.exists(name))) {
    throw new HubError('NAME_UNKNOWN', 'repository name not known to registry')
  }
  const { part, headers } = page(call, `/v2/${name}/tags/list`, theirs ?? (await parts.repositories.tags(name)))
  json(call, 200, { name, tags: part }, headers)
}

const PART_BYTES = 2 ** 21

/** As many of a list, after `last`, as one answer takes; and the digest at its end, when there are more. */
function firstPart<T extends { digest: Digest }>(all: readonly T[], last: string | null): { part: T[]; end?: Digest } {
  const from = last === null ? 0 : all.findIndex(({ digest }) => digest === last) + 1
  let bytes = 0
  for (let at = from; at < all.length; at++) {
    bytes += Buffer.byteLength(JSON.stringify(all[at]))
    if (bytes > PART_BYTES && at > from) return { part: all.slice(from, at), end: all[at - 1]!.digest }
  }
  return { part: all.slice(from) }
}

/** `/v2/<name>/referrers/<digest>` */
export async function referrers(call: Call): Promise<void> {
  const { parts, name, query } = call
  const subject = digestOfText(call.reference)
  const wanted = query.get('artifactType')
  const all = (await parts.upstream?.referrers(name, subject)) ?? (await allReferrers(parts, name, subject))
  const found = all
    .filter(({ artifactType }) => wanted === null || artifactType === wanted)
    .map(({ mediaType, digest, size, artifactType, annotations }) => ({
      mediaType,
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
      ...(annotations !== undefined && { annotations }),
    }))
  const { part: manifests, end } = firstPart(found, query.get('last'))
  const next = new URLSearchParams({ ...(wanted !== null && { artifactType: wanted }), ...(end && { last: end }) })
  const headers = {
    'Content-Type': OCI_INDEX,
    ...(wanted !== null && { 'OCI-Filters-Applied': 'artifactType' }),
    ...(end !== undefined && { Link: `</v2/${name}/referrers/${subject}?${next}>; rel="next"` }),
  }
  json(call, 200, { schemaVersion: 2, mediaType: OCI_INDEX, manifests }, headers)
}
