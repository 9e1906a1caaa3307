import type { VolumeFilters } from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import { type Filter, filterLists } from '../values/filter.js'
import { isTrue } from './filter-values.js'

const KNOWN = new Set(['dangling', 'driver', 'label', 'label!', 'name'])

/**
 * Docker's filters of volumes.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT
 */
export function volumeFilters(filters: readonly Filter[]): VolumeFilters {
  const { dangling, ...lists } = filterLists(filters)
  for (const name of Object.keys(lists)) {
    if (!KNOWN.has(name)) {
      throw invalidArgument(`Invalid filter '${name}'`, { hint: 'known are dangling, driver, label, name' })
    }
  }
  if (dangling === undefined) return lists
  return { ...lists, dangling: isTrue(dangling.at(-1) as string) }
}

/**
 * The filters of `volume prune`: labels, and `all` as the daemon of docker has it.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT
 */
export function volumePruneFilters(filters: readonly Filter[]): {
  all: boolean | undefined
  filters: Pick<VolumeFilters, 'label' | 'label!'>
} {
  const { label, 'label!': not, all, ...others } = filterLists(filters)
  const [other] = Object.keys(others)
  if (other !== undefined)
    throw invalidArgument(`invalid filter '${other}'`, { hint: 'known are all, label and label!' })
  const wanted = all?.map((word) => isTrue(word, 'all')).some(Boolean)
  return {
    all: wanted,
    filters: { ...(label !== undefined && { label }), ...(not !== undefined && { 'label!': not }) },
  }
}
