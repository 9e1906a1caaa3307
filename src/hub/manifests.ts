import type { Readable } from 'node:stream'
import type { ContentStore } from '../content/index.js'
import { type Digest, digestAlgorithm, digestOf, isDigest, isTag } from '../oci/index.js'
import type { BlobReader } from './blob-reader.js'
import { HubError } from './errors.js'
import type { RepositoryStore, StoredManifest } from './repositories.js'
import { quotaExceeded, type Space } from './space.js'

const LIMIT = 4 * 2 ** 20
/** Bytes of documents that are being received, over all connections. */
const LIMIT_AT_ONCE = 16 * 2 ** 20
let receiving = 0

/** A document's bytes, as they come. */
export async function readDocument(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    // The connection is still needed for the answer.
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      const { length } = chunk as Buffer
      size += length
      receiving += length
      if (size > LIMIT) throw new HubError('MANIFEST_INVALID', `a manifest has at most ${LIMIT} bytes`, 413)
      if (receiving > LIMIT_AT_ONCE) {
        throw new HubError('TOOMANYREQUESTS', 'too many manifests at once', undefined, { 'Retry-After': '1' })
      }
      chunks.push(chunk as Buffer)
    }
    return Buffer.concat(chunks)
  } finally {
    receiving -= size
  }
}

export interface ManifestDocument {
  mediaType?: unknown
  artifactType?: unknown
  config?: { digest?: unknown; mediaType?: unknown }
  layers?: unknown
  manifests?: unknown
  subject?: { digest?: unknown }
  annotations?: unknown
}

/** @throws HubError `MANIFEST_INVALID` */
export function parseDocument(bytes: Buffer): ManifestDocument {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as ManifestDocument
  } catch {
    // said below
  }
  throw new HubError('MANIFEST_INVALID', 'the manifest is no JSON object')
}

/** Digests of a list of descriptors. @throws HubError `MANIFEST_INVALID` */
export function digestsOf(list: unknown): Digest[] {
  if (list === undefined) return []
  if (!Array.isArray(list)) throw new HubError('MANIFEST_INVALID', 'layers and manifests are lists')
  return list.flatMap((it: { digest?: unknown; urls?: unknown }) => {
    if (!isDigest(it?.digest)) throw new HubError('MANIFEST_INVALID', 'a descriptor has no digest')
    // What lies elsewhere is not asked for here.
    return Array.isArray(it.urls) && it.urls.length > 0 ? [] : [it.digest]
  })
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** Checks and keeps a manifest, byte for byte, under its digest and, if it is one, its tag. */
export async function putManifest(
  parts: { repositories: RepositoryStore; store: ContentStore; blobs: BlobReader; space: Space },
  request: { name: string; reference: string; mediaType: string; bytes: Buffer },
): Promise<StoredManifest> {
  const { repositories, store, blobs, space } = parts
  const { name, reference, bytes } = request
  const byDigest = isDigest(reference)
  if (!byDigest && !isTag(reference)) throw new HubError('MANIFEST_INVALID', `invalid tag ${reference.slice(0, 140)}`)
  const document = parseDocument(bytes)
  const own = text(document.mediaType)
  if (own !== undefined && request.mediaType !== '' && own !== request.mediaType) {
    throw new HubError('MANIFEST_INVALID', `mediaType ${own} is not the Content-Type ${request.mediaType}`)
  }
  const digest = byDigest ? (reference as Digest) : digestOf(bytes)
  if (digestOf(bytes, digestAlgorithm(digest)) !== digest) {
    throw new HubError('DIGEST_INVALID', 'provided digest did not match uploaded content')
  }
  const config = document.config === undefined ? [] : digestsOf([document.config])
  for (const blob of [...config, ...digestsOf(document.layers)]) {
    if (blobs.size(blob) === undefined || !(await repositories.hasBlob(name, blob))) {
      throw new HubError('MANIFEST_BLOB_UNKNOWN', `blob unknown to registry: ${blob}`)
    }
  }
  for (const child of digestsOf(document.manifests)) {
    // A cache of builds is an index of layers.
    const here =
      store.has(child) &&
      ((await repositories.manifest(name, child)) !== undefined || (await repositories.hasBlob(name, child)))
    if (!here) {
      throw new HubError('MANIFEST_BLOB_UNKNOWN', `manifest unknown to registry: ${child}`)
    }
  }
  const subject = document.subject?.digest
  if (document.subject !== undefined && !isDigest(subject)) {
    throw new HubError('MANIFEST_INVALID', 'the subject has no digest')
  }
  const artifactType = text(document.artifactType) ?? text(document.config?.mediaType)
  const { annotations } = document
  if ((await space.left()) < bytes.length) throw quotaExceeded()
  const manifest: StoredManifest = {
    digest,
    mediaType: own ?? (request.mediaType || 'application/vnd.oci.image.manifest.v1+json'),
    size: bytes.length,
    ...(isDigest(subject) && { subject }),
    ...(artifactType !== undefined && { artifactType }),
    ...(typeof annotations === 'object' &&
      annotations !== null && { annotations: annotations as Record<string, string> }),
  }
  await repositories.addManifest(name, manifest)
  await storeBytes(store, digest, bytes)
  space.added(bytes.length)
  if (!byDigest) await repositories.setTag(name, reference, digest)
  return manifest
}

/** Keeps a document byte for byte. */
export async function storeBytes(store: ContentStore, digest: Digest, bytes: Buffer): Promise<void> {
  const ingest = await store.ingest({ digest, size: bytes.length })
  if (ingest === undefined) return
  try {
    await ingest.restart()
    await ingest.write(bytes)
    await ingest.commit()
  } finally {
    await ingest.abort()
  }
}
