import { humanDuration } from '../../engine/duration.js'
import type { ImageSummary } from '../../engine/types.js'
import type { ListStyle } from './list.js'
import { humanSize, localTime, shortId } from './units.js'

const NONE = '<none>'

/** `images`. */
export function imageStyle(digests: boolean): ListStyle {
  return {
    typeName: '*formatter.imageContext',
    table: `{{.Repository}}\t{{.Tag}}\t${digests ? '{{.Digest}}\t' : ''}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
    headings: {
      ID: 'IMAGE ID',
      Repository: 'REPOSITORY',
      Tag: 'TAG',
      Digest: 'DIGEST',
      CreatedSince: 'CREATED',
      CreatedAt: 'CREATED AT',
      Size: 'SIZE',
      Containers: 'CONTAINERS',
      VirtualSize: 'SIZE',
      SharedSize: 'SHARED SIZE',
      UniqueSize: 'UNIQUE SIZE',
    },
  }
}

/** The rows of one image: one per tag, or one per digest without a tag, or one dangling. */
export function imageRows(
  image: ImageSummary,
  options: { now: number; truncate: boolean; digests: boolean },
): Record<string, unknown>[] {
  const names = namesOf(image, options.digests)
  const common = {
    Containers: 'N/A',
    CreatedSince: image.createdAt > 0 ? `${humanDuration(options.now - image.createdAt)} ago` : 'N/A',
    ID: options.truncate ? shortId(image.id) : image.id,
    SharedSize: 'N/A',
    Size: humanSize(image.size),
    UniqueSize: 'N/A',
    VirtualSize: humanSize(image.size, 4),
  }
  return names.map(([Repository, Tag, Digest]) => ({
    ...common,
    get CreatedAt() {
      return image.createdAt > 0 ? localTime(image.createdAt) : 'N/A'
    },
    Repository,
    Tag,
    Digest,
  }))
}

function namesOf(image: ImageSummary, digests: boolean): [repository: string, tag: string, digest: string][] {
  const digestOf = new Map(image.digests.map((text) => text.split('@') as [string, string]))
  const tagged = image.tags.map((text): [string, string, string] => {
    const [repository, tag] = splitTag(text)
    return [repository, tag, digests ? (digestOf.get(repository) ?? NONE) : NONE]
  })
  if (tagged.length > 0) return tagged
  const bare = [...digestOf].map(([repository, digest]): [string, string, string] => [
    repository,
    NONE,
    digests ? digest : NONE,
  ])
  return bare.length > 0 ? bare : [[NONE, NONE, NONE]]
}

/** `localhost:5000/a:1` is `localhost:5000/a` and `1`: the tag follows the last slash. */
export function splitTag(reference: string): [repository: string, tag: string] {
  const colon = reference.indexOf(':', reference.lastIndexOf('/') + 1)
  return colon < 0 ? [reference, NONE] : [reference.slice(0, colon), reference.slice(colon + 1)]
}
