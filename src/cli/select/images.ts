import type { ImageSummary } from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import { splitTag } from '../format/image-row.js'
import type { Filter } from '../values/filter.js'
import { labelTest } from './containers.js'

/** A pattern of shell wild cards; `*` stops at a slash, as Go's path.Match has it. */
function wildcard(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '[^/]*')
    .replace(/\?/g, '[^/]')
  return new RegExp(`^${source}$`)
}

function referenceTest(value: string): (tag: string) => boolean {
  const pattern = wildcard(value)
  return (tag) => pattern.test(tag) || pattern.test(splitTag(tag)[0])
}

/**
 * Images that match all filters. `reference` also drops the tags that do not match.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for an unknown filter
 */
export function filterImages(images: readonly ImageSummary[], filters: readonly Filter[]): ImageSummary[] {
  let list = [...images]
  const references = filters.filter(({ name }) => name === 'reference').map(({ value }) => referenceTest(value))
  if (references.length > 0) {
    list = list
      .map((image) => ({ ...image, tags: image.tags.filter((tag) => references.some((test) => test(tag))) }))
      .filter(({ tags }) => tags.length > 0)
  }
  for (const { name, value, negated } of filters) {
    if (name === 'reference') continue
    if (name === 'dangling') {
      const wanted = /^(1|t|true)$/i.test(value)
      list = list.filter(({ tags, digests }) => (tags.length === 0 && digests.length === 0) === wanted)
    } else if (name === 'label') {
      const test = labelTest(value)
      list = list.filter(({ labels }) => test(labels) !== negated)
    } else if (name === 'before' || name === 'since') {
      const other = images.find(
        ({ id, tags }) => id.includes(value) || tags.includes(value) || tags.includes(`${value}:latest`),
      )
      if (other === undefined) throw invalidArgument(`No such image: ${value}`)
      list = list.filter(({ createdAt }) =>
        name === 'before' ? createdAt < other.createdAt : createdAt > other.createdAt,
      )
    } else {
      throw invalidArgument(`invalid filter '${name}'`, { hint: 'known are before, dangling, label, reference, since' })
    }
  }
  return list
}
