import type { ImageSummary } from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import type { Filter } from '../values/filter.js'
import { labelTest } from './containers.js'
import { isTrue, untilTime } from './filter-values.js'

/**
 * What `image prune` removes, by its filters.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for an unknown filter or a bad value
 */
export function pruneFilter(
  filters: readonly Filter[],
  all: boolean,
  now: number,
): { all: boolean; filter: (image: ImageSummary) => boolean } {
  let everything = all
  const tests: ((image: ImageSummary) => boolean)[] = []
  for (const { name, value, negated } of filters) {
    if (name === 'label') {
      const test = labelTest(value)
      tests.push(({ labels }) => test(labels) !== negated)
    } else if (name === 'until' && !negated) {
      const until = untilTime(value, now)
      tests.push(({ createdAt }) => createdAt <= until)
    } else if (name === 'dangling' && !negated) everything = !isTrue(value)
    else throw invalidArgument(`invalid filter '${name}'`, { hint: 'known are dangling, label and until' })
  }
  return { all: everything, filter: (image) => tests.every((test) => test(image)) }
}
