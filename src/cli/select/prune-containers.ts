import type { ContainerSummary } from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import type { Filter } from '../values/filter.js'
import { parseTime } from '../values/time.js'
import { labelTest } from './containers.js'

/**
 * The filters of `container prune`: `until` (created before), `label` and `label!`.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for another
 */
export function prunedByFilters(filters: readonly Filter[], now: number): (container: ContainerSummary) => boolean {
  const tests = filters.map(({ name, value, negated }): ((container: ContainerSummary) => boolean) => {
    if (name === 'until' && !negated) {
      const until = parseTime(value, now)
      return ({ createdAt }) => createdAt < until
    }
    if (name !== 'label') throw invalidArgument(`invalid filter '${name}'`, { hint: 'known are label and until' })
    const test = labelTest(value)
    return ({ labels }) => test(labels) !== negated
  })
  return (container) => tests.every((test) => test(container))
}
