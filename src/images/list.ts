import { familiarReference, parseReference } from '../oci/index.js'
import type { ImageRecord, Records, ReferenceRecord } from './records.js'
import { repoDigestName } from './remove.js'
import type { ImageSummary } from './types.js'

/** All images with their names, newest first. */
export function summarize(records: Records): ImageSummary[] {
  return records.derive(summaries).map(copy)
}

/** The callers' own, to do with as they like. */
function copy(one: ImageSummary): ImageSummary {
  return { ...one, tags: [...one.tags], digests: [...one.digests], labels: { ...one.labels } }
}

function summaries(records: Records): ImageSummary[] {
  const names = new Map<string, ReferenceRecord[]>()
  for (const record of records.references()) {
    const list = names.get(record.imageId)
    if (list === undefined) names.set(record.imageId, [record])
    else list.push(record)
  }
  return records
    .images()
    .map((image) => summary(image, names.get(image.imageId) ?? []))
    .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
}

function summary(image: ImageRecord, names: ReferenceRecord[]): ImageSummary {
  const parsed = names.map((record) => parseReference(record.reference))
  return {
    id: image.imageId,
    tags: parsed
      .filter((name) => name.tag !== undefined)
      .map(familiarReference)
      .sort(),
    digests: [...new Set(names.flatMap(repoDigestName))].sort(),
    createdAt: image.createdAt,
    size: image.size,
    labels: image.labels,
    architecture: image.platform.architecture,
    os: image.platform.os,
  }
}
