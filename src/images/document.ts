import type { ContentStore } from '../content/index.js'
import { JubakoError } from '../errors/index.js'
import {
  type Descriptor,
  type Digest,
  documentKind,
  type ImageConfig,
  type ImageId,
  type Index,
  isForeignLayer,
  isImageConfig,
  LIMITS,
  layerCompression,
  type Manifest,
  noMatchingManifest,
  type Platform,
  parseImageConfig,
  parseManifest,
  selectManifests,
} from '../oci/index.js'

/** How documents and configurations of an image are had: from a registry or an archive. */
export interface DocumentSource {
  /** Brings the content into the store, verified. */
  fetch(descriptor: Descriptor): Promise<void>
}

/** The image behind a reference for one platform. */
export interface ChosenImage {
  target: Descriptor
  descriptor: Descriptor
  manifest: Manifest
  imageId: ImageId
  config: ImageConfig
}

/** Indexes in indexes are allowed so deep. */
const MAX_DEPTH = 4

/**
 * Finds the manifest for a platform behind a target that is in the store already, and reads its configuration.
 *
 * @param explicit whether somebody asked for the platform: then a single manifest for another one is refused
 * @throws JubakoError `ERR_JUBAKO_NOT_FOUND` without the platform, `ERR_JUBAKO_UNSUPPORTED` for what is no image
 */
export async function chooseImage(
  content: ContentStore,
  source: DocumentSource,
  target: Descriptor,
  wanted: { platform: Platform; explicit: boolean },
  what: string,
): Promise<ChosenImage> {
  const chosen = await descend(content, source, target, wanted.platform, what, 0)
  checkRunnable(chosen.manifest, what)
  const { config } = chosen.manifest
  await source.fetch(config)
  checkSize(content, config, what)
  const parsed = parseImageConfig(await content.read(config.digest, LIMITS.configBytes), `${what}: configuration`)
  if (parsed.diffIds.length !== chosen.manifest.layers.length) {
    throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: manifest and configuration disagree on the layers`)
  }
  return { target, ...chosen, imageId: config.digest as Digest as ImageId, config: parsed }
}

async function descend(
  content: ContentStore,
  source: DocumentSource,
  target: Descriptor,
  platform: Platform,
  what: string,
  depth: number,
): Promise<{ descriptor: Descriptor; manifest: Manifest }> {
  const document = await readDocument(content, target, what)
  if (document.kind === 'manifest') return { descriptor: target, manifest: document }
  const [best] = selectManifests(document, platform)
  if (best === undefined) throw noMatchingManifest(document, platform, what)
  if (depth >= MAX_DEPTH) throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: indexes are nested too deeply`)
  await source.fetch(best)
  return descend(content, source, best, platform, what, depth + 1)
}

/** Reads a manifest or index of the store. */
export async function readDocument(
  content: ContentStore,
  descriptor: Descriptor,
  what: string,
): Promise<Manifest | Index> {
  checkSize(content, descriptor, what)
  const announced = documentKind(descriptor.mediaType) === undefined ? undefined : descriptor.mediaType
  return parseManifest(await content.read(descriptor.digest, LIMITS.manifestBytes), announced, what)
}

/** Content may be here already by another descriptor: a size that is wrong is wrong all the same. */
export function checkSize(content: ContentStore, { digest, size }: Descriptor, what: string): void {
  const actual = content.sizeOf(digest)
  if (actual === undefined || actual === size) return
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: ${digest} has ${actual} bytes, expected ${size}`)
}

function checkRunnable(manifest: Manifest, what: string): void {
  if (!isImageConfig(manifest.config.mediaType)) {
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `${what}: is an artifact (${manifest.config.mediaType}), no image`)
  }
  for (const layer of manifest.layers) {
    if (isForeignLayer(layer.mediaType)) {
      throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `${what}: has foreign layers (${layer.mediaType})`, {
        hint: 'such layers belong to Windows images and are not kept in registries',
      })
    }
    if (layerCompression(layer.mediaType) === undefined) {
      throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `${what}: unsupported layer type ${layer.mediaType}`)
    }
  }
}
