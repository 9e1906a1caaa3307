import type { ContentStore } from '../../content/index.js'
import { JubakoError } from '../../errors/index.js'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  documentKind,
  type Index,
  LIMITS,
  parseManifest,
  parseReference,
  type Reference,
} from '../../oci/index.js'
import type { ImageArchive } from './archive.js'
import type { ArchivedImage } from './docker-archive.js'

/** Annotations that carry a name: containerd's is a whole reference, the specification's may be only a tag. */
const FULL_NAME = 'io.containerd.image.name'
const REF_NAME = 'org.opencontainers.image.ref.name'

/** The name of a blob in a layout (image-spec, "Image Layout", "Blobs"). */
export function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`
}

/** Images that a layout's `index.json` lists; several names of one image are one entry. */
export async function layoutImages(archive: ImageArchive, content: ContentStore): Promise<ArchivedImage[]> {
  const index = await readIndex(archive, content)
  const images = new Map<Digest, ArchivedImage>()
  for (const entry of index?.manifests ?? []) {
    if (documentKind(entry.mediaType) === undefined) continue
    const image = images.get(entry.digest) ?? { target: entry, references: [] }
    images.set(entry.digest, image)
    const name = referenceOf(entry)
    if (name !== undefined) image.references.push(name)
  }
  return [...images.values()]
}

/** The layout's manifests by the digest of their configuration, for archives that have both forms. */
export async function manifestsByConfig(
  archive: ImageArchive,
  content: ContentStore,
): Promise<Map<string, Descriptor>> {
  const found = new Map<string, Descriptor>()
  const queue = [...((await readIndex(archive, content))?.manifests ?? [])]
  for (let i = 0; i < queue.length && i < LIMITS.indexEntries; i++) {
    const descriptor = queue[i]!
    if (documentKind(descriptor.mediaType) === undefined || !content.has(descriptor.digest)) continue
    const document = parseManifest(
      await content.read(descriptor.digest, LIMITS.manifestBytes),
      descriptor.mediaType,
      `image archive: ${descriptor.digest}`,
    )
    if (document.kind === 'index') queue.push(...document.manifests)
    // The layout may be a listing without its layers.
    else if (document.layers.every((layer) => archive.file(blobName(layer.digest)) !== undefined)) {
      found.set(document.config.digest, { ...descriptor, mediaType: document.mediaType })
    }
  }
  return found
}

async function readIndex(archive: ImageArchive, content: ContentStore): Promise<Index | undefined> {
  const file = archive.file('index.json')
  if (file === undefined) return undefined
  const index = parseManifest(
    await content.read(file.digest, LIMITS.manifestBytes),
    undefined,
    'image archive: index.json',
  )
  if (index.kind === 'index') return index
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', 'image archive: index.json is not an index')
}

function referenceOf(entry: Descriptor): Reference | undefined {
  const full = entry.annotations?.[FULL_NAME]
  if (full !== undefined) return parseReference(full)
  const name = entry.annotations?.[REF_NAME]
  // A bare tag names nothing.
  return name !== undefined && /[/:]/.test(name) ? parseReference(name) : undefined
}
