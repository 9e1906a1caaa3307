import type { ContentStore } from '../../content/index.js'
import {
  familiarReference,
  formatReference,
  type ImageId,
  type Platform,
  parseReference,
  type Reference,
  repositoryName,
} from '../../oci/index.js'
import { type Chosen, chooseDocuments } from '../outgoing.js'
import type { ImageRecord, Records, ReferenceRecord } from '../records.js'
import type { Resolver } from '../resolve.js'

/** One image of an archive, with the names it gets there. */
export interface SavedImage extends Chosen {
  imageId: ImageId
  names: Reference[]
}

interface Wanted {
  record: ReferenceRecord
  name: Reference | undefined
}

/**
 * Finds what `save` means by names and IDs: a name without a tag means every tag of the repository, and an ID an image
 * without a name.
 *
 * @throws JubakoError `ERR_JUBAKO_NOT_FOUND`
 */
export async function selectImages(
  content: ContentStore,
  records: Records,
  resolver: Resolver,
  names: readonly string[],
  platform: string | Platform | undefined,
  complete: (record: ReferenceRecord) => Promise<ReferenceRecord>,
): Promise<SavedImage[]> {
  const images = new Map<string, SavedImage>()
  for (const { record, name } of names.flatMap((one) => wantedBy(records, resolver, one))) {
    const chosen = await chooseDocuments(content, await complete(record), platform, async () => false)
    const { digest } = chosen.target
    const image = images.get(digest) ?? { ...chosen, imageId: record.imageId, names: [] }
    images.set(digest, image)
    const text = name === undefined ? undefined : familiarReference(name)
    if (name !== undefined && !image.names.some((other) => familiarReference(other) === text)) image.names.push(name)
  }
  return [...images.values()]
}

function wantedBy(records: Records, resolver: Resolver, asked: string): Wanted[] {
  const tagged = allTags(records, asked)
  if (tagged.length > 0) return tagged
  const { image, reference } = resolver.get(asked)
  if (reference === undefined) return [{ record: unnamed(image), name: undefined }]
  const name = parseReference(reference.reference)
  return [{ record: reference, name: name.tag === undefined ? undefined : name }]
}

function allTags(records: Records, asked: string): Wanted[] {
  let reference: Reference
  try {
    reference = parseReference(asked)
  } catch {
    // An ID, or nothing at all: the resolver says so.
    return []
  }
  if (reference.tag !== undefined || reference.digest !== undefined) return []
  const repository = repositoryName(reference)
  return records
    .references()
    .map((record) => ({ record, name: parseReference(record.reference) }))
    .filter(({ name }) => name.tag !== undefined && repositoryName(name) === repository)
    .sort((a, b) => (formatReference(a.name) < formatReference(b.name) ? -1 : 1))
}

function unnamed(image: ImageRecord): ReferenceRecord {
  const { imageId, manifest, content } = image
  return { reference: 'unnamed', imageId, target: manifest, manifest: manifest.digest, content, updatedAt: 0 }
}
