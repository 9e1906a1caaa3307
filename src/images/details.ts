import type { ContentStore } from '../content/index.js'
import { type Digest, documentKind, formatPlatform, LIMITS, parseManifest } from '../oci/index.js'
import type { LayerStore } from './layer-store.js'
import { summarize } from './list.js'
import type { ImageRecord, Records, ReferenceRecord } from './records.js'
import type { ImageDetails, ImagePlatform } from './types.js'

export interface DetailParts {
  content: ContentStore
  layers: LayerStore
  records: Records
  /** IDs of images that containers use. */
  used: ReadonlySet<string>
}

/** All images with what they take and the platforms that their names stand for, newest first. */
export async function imageDetails(parts: DetailParts): Promise<ImageDetails[]> {
  const references = parts.records.references()
  const details: ImageDetails[] = []
  for (const summary of summarize(parts.records)) {
    const image = parts.records.image(summary.id)
    if (image === undefined) continue
    const own = references.filter(({ imageId }) => imageId === summary.id)
    const digests = new Set([...image.content, ...own.flatMap(({ content }) => content)])
    details.push({
      ...summary,
      target: (own[0]?.target ?? image.manifest).digest,
      contentSize: sizeOf(parts.content, digests),
      inUse: parts.used.has(summary.id),
      platforms: await platformsOf(parts, image, own[0]),
    })
  }
  return details
}

async function platformsOf(
  { content }: DetailParts,
  image: ImageRecord,
  reference: ReferenceRecord | undefined,
): Promise<ImagePlatform[]> {
  const here = (digest: Digest): ImagePlatform => ({
    platform: formatPlatform(image.platform),
    digest,
    size: image.size,
    contentSize: sizeOf(content, new Set(image.content)),
  })
  const index = reference?.target
  if (index === undefined || documentKind(index.mediaType) !== 'index' || !content.has(index.digest)) {
    return [here(image.manifest.digest)]
  }
  const document = parseManifest(await content.read(index.digest, LIMITS.manifestBytes), index.mediaType, index.digest)
  return (document.kind === 'index' ? document.manifests : [])
    .filter(({ platform }) => platform !== undefined && platform.os !== 'unknown')
    .map(({ platform, digest }) =>
      digest === reference?.manifest
        ? { ...here(digest), platform: formatPlatform(platform!) }
        : { platform: formatPlatform(platform!), digest, size: 0, contentSize: 0 },
    )
}

function sizeOf(content: ContentStore, digests: ReadonlySet<Digest>): number {
  let bytes = 0
  for (const digest of digests) bytes += content.sizeOf(digest) ?? 0
  return bytes
}
