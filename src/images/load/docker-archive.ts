import type { ContentStore } from '../../content/index.js'
import { JubakoError } from '../../errors/index.js'
import {
  type Descriptor,
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LAYER_GZIP,
  DOCKER_LAYER_ZSTD,
  DOCKER_MANIFEST,
  LIMITS,
  parseReference,
  type Reference,
} from '../../oci/index.js'
import type { ArchiveFile, ImageArchive } from './archive.js'

/** One image of an archive. */
export interface ArchivedImage {
  target: Descriptor
  references: Reference[]
}

interface ManifestItem {
  Config: string
  RepoTags: string[]
  Layers: string[]
}

/**
 * Images of a `docker save` archive, by its `manifest.json`. Docker 25 and later add an OCI layout; the manifests in
 * it are the originals and are preferred over one made here.
 *
 * @param originals manifests of the archive's OCI layout by the digest of their configuration
 */
export async function dockerArchiveImages(
  archive: ImageArchive,
  content: ContentStore,
  originals: ReadonlyMap<string, Descriptor>,
): Promise<ArchivedImage[]> {
  const list = archive.file('manifest.json')
  if (list === undefined) return []
  const images: ArchivedImage[] = []
  for (const item of parseManifestList(await content.read(list.digest, LIMITS.manifestBytes))) {
    const config = required(archive, item.Config)
    const target = originals.get(config.digest) ?? (await makeManifest(archive, content, config, item.Layers))
    images.push({ target, references: item.RepoTags.map(parseReference) })
  }
  return images
}

function parseManifestList(bytes: Buffer): ManifestItem[] {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch (cause) {
    throw new JubakoError('ERR_JUBAKO_INTEGRITY', 'image archive: manifest.json is not valid JSON', { cause })
  }
  if (!Array.isArray(value) || value.length > 1000) throw malformed()
  return value.map((item: Record<string, unknown> | null) => {
    const tags = item?.RepoTags ?? []
    if (typeof item?.Config !== 'string' || !isStrings(item.Layers) || !isStrings(tags)) throw malformed()
    return { Config: item.Config, Layers: item.Layers, RepoTags: tags }
  })
}

/** The same archive gives the same manifest. */
async function makeManifest(
  archive: ImageArchive,
  content: ContentStore,
  config: ArchiveFile,
  layers: string[],
): Promise<Descriptor> {
  const manifest = {
    schemaVersion: 2,
    mediaType: DOCKER_MANIFEST,
    config: { mediaType: DOCKER_CONFIG, size: config.size, digest: config.digest },
    layers: await Promise.all(
      layers.map(async (name) => {
        const { size, digest } = required(archive, name)
        return { mediaType: await layerType(content, digest), size, digest }
      }),
    ),
  }
  const bytes = Buffer.from(JSON.stringify(manifest))
  return { mediaType: DOCKER_MANIFEST, digest: await content.put(bytes), size: bytes.length }
}

async function layerType(content: ContentStore, digest: ArchiveFile['digest']): Promise<string> {
  const file = await content.open(digest)
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    if (buffer[0] === 0x1f && buffer[1] === 0x8b) return DOCKER_LAYER_GZIP
    return buffer.readUInt32LE(0) === 0xfd2fb528 ? DOCKER_LAYER_ZSTD : DOCKER_LAYER
  } finally {
    await file.close()
  }
}

function required(archive: ImageArchive, name: string): ArchiveFile {
  const file = archive.file(name)
  if (file !== undefined) return file
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', `image archive: ${JSON.stringify(name.slice(0, 200))} is missing`)
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= 1000 && value.every((item) => typeof item === 'string')
}

function malformed(): JubakoError {
  return new JubakoError('ERR_JUBAKO_INTEGRITY', 'image archive: manifest.json is malformed')
}
