import type { Readable } from 'node:stream'
import type { ContentStore } from '../content/index.js'
import { type Digest, digestAlgorithm, digestOf, isDigest, isTag } from '../oci/index.js'
import { HubError } from './errors.js'
import type { Repositories, StoredManifest } from './repositories.js'

const LIMIT = 4 * 2 ** 20

/** A document's bytes, as they come. */
export async function readDocument(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += (chunk as Buffer).length
    if (size > LIMIT) throw new HubError('MANIFEST_INVALID', `a manifest has at most ${LIMIT} bytes`, 413)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

interface Document {
  mediaType?: unknown
  artifactType?: unknown
  config?: { digest?: unknown; mediaType?: unknown }
  layers?: unknown
  manifests?: unknown
  subject?: { digest?: unknown }
  annotations?: unknown
}

function parse(bytes: Buffer): Document {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Document
  } catch {
    // said below
  }
  throw new HubError('MANIFEST_INVALID', 'the manifest is no JSON object')
}

function digestsOf(list: unknown): Digest[] {
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
  parts: { repositories: Repositories; store: ContentStore },
  request: { name: string; reference: string; mediaType: string; bytes: Buffer },
): Promise<StoredManifest> {
  const { repositories, store } = parts
  const { name, reference, bytes } = request
  const byDigest = isDigest(reference)
  if (!byDigest && !isTag(reference)) throw new HubError('MANIFEST_INVALID', `invalid tag ${reference.slice(0, 140)}`)
  const document = parse(bytes)
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
    if (!store.has(blob) || !(await repositories.hasBlob(name, blob))) {
      throw new HubError('MANIFEST_BLOB_UNKNOWN', `blob unknown to registry: ${blob}`)
    }
  }
  for (const child of digestsOf(document.manifests)) {
    if ((await repositories.manifest(name, child)) === undefined) {
      throw new HubError('MANIFEST_BLOB_UNKNOWN', `manifest unknown to registry: ${child}`)
    }
  }
  const subject = document.subject?.digest
  if (document.subject !== undefined && !isDigest(subject)) {
    throw new HubError('MANIFEST_INVALID', 'the subject has no digest')
  }
  const artifactType = text(document.artifactType) ?? text(document.config?.mediaType)
  const { annotations } = document
  await storeBytes(store, digest, bytes)
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
  if (!byDigest) await repositories.setTag(name, reference, digest)
  return manifest
}

async function storeBytes(store: ContentStore, digest: Digest, bytes: Buffer): Promise<void> {
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
