import type { ImageSummary } from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import { splitTag } from '../format/image-row.js'
import type { Filter } from '../values/filter.js'
import { labelTest } from './containers.js'
import { isTrue, untilTime } from './filter-values.js'

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
export function filterImages<I extends ImageSummary>(
  images: readonly I[],
  filters: readonly Filter[],
  now = Date.now(),
): I[] {
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
      const wanted = isTrue(value)
      // One with a digest and no tag is both, as Docker has it.
      list = list.filter(({ tags, digests }) => (wanted ? tags.length === 0 : tags.length + digests.length > 0))
    } else if (name === 'label') {
      const test = labelTest(value)
      list = list.filter(({ labels }) => test(labels) !== negated)
    } else if (name === 'until') {
      const until = untilTime(value, now)
      list = list.filter(({ createdAt }) => createdAt <= until)
    } else if (name === 'before' || name === 'since') {
      const other = imageOf(images, value)
      list = list.filter(({ createdAt }) =>
        name === 'before' ? createdAt < other.createdAt : createdAt > other.createdAt,
      )
    } else {
      throw invalidArgument(`invalid filter '${name}'`, {
        hint: 'known are before, dangling, label, reference, since and until',
      })
    }
  }
  return list
}

/** The image of a name or ID. */
function imageOf<I extends ImageSummary>(images: readonly I[], value: string): I {
  const prefix = value.replace(/^sha256:/, '')
  const names = [value, `${value}:latest`]
  const found =
    images.find(({ tags, digests }) => names.some((name) => tags.includes(name) || digests.includes(name))) ??
    images.find(({ id }) => /^[0-9a-f]+$/.test(prefix) && id.startsWith(`sha256:${prefix}`))
  if (found === undefined)
    throw invalidArgument(`No such image: ${splitTag(value)[1] === '<none>' ? `${value}:latest` : value}`)
  return found
}
