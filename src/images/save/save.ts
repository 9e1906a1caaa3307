import type { ContentStore } from '../../content/index.js'
import { throwIfAborted } from '../../content/index.js'
import { JubakoError } from '../../errors/index.js'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  familiarName,
  familiarReference,
  formatReference,
  isImageConfig,
  type Manifest,
  OCI_INDEX,
  type Reference,
} from '../../oci/index.js'
import { TAR_END, tarHeader, tarPadding } from '../tar-header.js'
import type { SavedImage } from './select.js'

/**
 * Writes images as one archive that is an OCI image layout as well as what `docker load` reads: documents and layers as
 * they are stored, byte for byte, so that every digest stays.
 *
 * @throws JubakoError `ERR_JUBAKO_NOT_FOUND` when content is not here any more
 */
export async function* saveImages(
  content: ContentStore,
  images: readonly SavedImage[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const blobs = new Map<Digest, number>()
  for (const { descriptor, document } of images.flatMap((image) => image.documents)) {
    blobs.set(descriptor.digest, descriptor.size)
    if (document.kind === 'manifest') {
      for (const { digest, size } of [document.config, ...document.layers]) blobs.set(digest, size)
    }
  }
  for (const [digest, size] of blobs) {
    if (content.sizeOf(digest) !== size) throw missing(digest)
  }
  const algorithms = [...new Set([...blobs.keys()].map(digestAlgorithm))].sort()
  for (const name of ['blobs/', ...algorithms.map((algorithm) => `blobs/${algorithm}/`)]) {
    yield tarHeader({ name, size: 0, mode: 0o755, directory: true })
  }
  for (const digest of [...blobs.keys()].sort()) yield* blobMember(content, digest, blobs.get(digest)!, signal)
  yield json('index.json', layoutIndex(images))
  yield json('manifest.json', images.flatMap(dockerItem))
  yield json('oci-layout', { imageLayoutVersion: '1.0.0' })
  const repositories = repositoriesOf(images)
  if (Object.keys(repositories).length > 0) yield json('repositories', repositories)
  yield TAR_END
}

async function* blobMember(
  content: ContentStore,
  digest: Digest,
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  yield tarHeader({ name: blobName(digest), size, mode: 0o644 })
  let left = size
  const file = await content.open(digest)
  try {
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 512 * 1024 })) {
      throwIfAborted(signal)
      left -= chunk.length
      if (left < 0) break
      yield chunk
    }
  } finally {
    await file.close()
  }
  if (left !== 0) throw new JubakoError('ERR_JUBAKO_INTEGRITY', `stored content ${digest} is damaged`)
  yield tarPadding(size)
}

function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`
}

/** One entry per name, as containerd and the specification annotate them. */
function layoutIndex(images: readonly SavedImage[]) {
  const manifests = images.flatMap(({ target, names }): Descriptor[] => {
    const { mediaType, digest, size } = target
    if (names.length === 0) return [{ mediaType, digest, size }]
    return names.map((name) => ({
      mediaType,
      digest,
      size,
      annotations: {
        'io.containerd.image.name': formatReference(name),
        'org.opencontainers.image.ref.name': name.tag!,
      },
    }))
  })
  return { schemaVersion: 2, mediaType: OCI_INDEX, manifests }
}

/** `docker load` knows manifests only: of an index each one is an image, and the names are for this machine's. */
function dockerItem({ documents, names, own }: SavedImage) {
  return documents.flatMap(({ descriptor, document }) => {
    if (document.kind !== 'manifest' || !isImageConfig(document.config.mediaType) || isAttestation(document)) return []
    return {
      Config: blobName(document.config.digest),
      RepoTags: descriptor.digest === own && names.length > 0 ? names.map(familiarReference) : null,
      Layers: document.layers.map(({ digest }) => blobName(digest)),
    }
  })
}

/** Build records pose as images of a platform that does not exist. */
function isAttestation({ layers }: Manifest): boolean {
  return layers.some(({ mediaType }) => mediaType.includes('in-toto'))
}

/** The oldest form's table of names. */
function repositoriesOf(images: readonly SavedImage[]): Record<string, Record<string, string>> {
  const table: Record<string, Record<string, string>> = {}
  for (const { documents, names, own } of images) {
    const manifest = documents.find(({ descriptor }) => descriptor.digest === own)?.document
    const top = manifest?.kind === 'manifest' ? manifest.layers.at(-1) : undefined
    for (const name of top === undefined ? [] : names) addName(table, name, digestHex(top!.digest))
  }
  return table
}

function addName(table: Record<string, Record<string, string>>, name: Reference, layer: string): void {
  const tags = table[familiarName(name)] ?? {}
  table[familiarName(name)] = tags
  tags[name.tag!] = layer
}

function json(name: string, value: unknown): Buffer {
  const data = Buffer.from(JSON.stringify(value))
  return Buffer.concat([tarHeader({ name, size: data.length, mode: 0o644 }), data, tarPadding(data.length)])
}

function missing(digest: Digest): JubakoError {
  return new JubakoError('ERR_JUBAKO_NOT_FOUND', `the compressed content ${digest} is not here any more`, {
    path: digest,
    hint: 'pull the image again',
  })
}
