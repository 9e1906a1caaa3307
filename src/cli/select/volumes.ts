import type { VolumeFilters } from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import { type Filter, filterLists } from '../values/filter.js'

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
  const word = dangling.at(-1) as string
  if (!/^(1|0|true|false)$/i.test(word)) throw invalidArgument(`Invalid filter 'dangling=[${dangling.join(' ')}]'`)
  return { ...lists, dangling: /^(1|true)$/i.test(word) }
}
