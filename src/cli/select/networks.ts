import type { NetworkSummary } from '../../engine/network-types.js'
import { invalidArgument } from '../../errors/index.js'
import type { Filter } from '../values/filter.js'
import { labelTest } from './containers.js'
import { isTrue, untilTime } from './filter-values.js'

type Test = (network: NetworkSummary) => boolean

const builtin = new Set(['bridge', 'host', 'none'])

/** One name's values are alternatives; labels must all match. */
const tests: Record<string, (value: string, used: ReadonlySet<string>) => Test> = {
  driver: (value) => (network) => network.driver === value,
  id: (value) => (network) => network.id.startsWith(value),
  name: (value) => (network) => network.name.includes(value),
  scope: (value) => (network) => network.scope === value,
  type: (value) => {
    if (value !== 'builtin' && value !== 'custom') throw invalidArgument(`invalid filter: 'type'='${value}'`)
    return (network) => builtin.has(network.name) === (value === 'builtin')
  },
  dangling: (value, used) => {
    const wanted = isTrue(value)
    return (network) => (!builtin.has(network.name) && !used.has(network.id)) === wanted
  },
}

/** @param used IDs of networks that containers refer to */
export function filterNetworks(
  networks: readonly NetworkSummary[],
  filters: readonly Filter[],
  used: ReadonlySet<string>,
): NetworkSummary[] {
  const alternatives = new Map<string, Test[]>()
  const all: Test[] = []
  for (const { name, value, negated } of filters) {
    if (name === 'label') {
      const test = labelTest(value)
      all.push(({ labels }) => test(labels) !== negated)
      continue
    }
    const make = tests[name]
    if (make === undefined) throw invalidArgument(`Invalid filter '${name}'`)
    alternatives.set(name, [...(alternatives.get(name) ?? []), make(value, used)])
  }
  return networks.filter(
    (network) =>
      all.every((test) => test(network)) &&
      [...alternatives.values()].every((list) => list.some((test) => test(network))),
  )
}

/** What `network prune` keeps by its filters. */
export function keptByFilters(filters: readonly Filter[], now: number): Test {
  const wanted: Test[] = filters.map(({ name, value, negated }) => {
    if (name === 'label') {
      const test = labelTest(value)
      return ({ labels }) => test(labels) !== negated
    }
    if (name !== 'until') throw invalidArgument(`Invalid filter '${name}'`)
    const until = untilTime(value, now)
    return ({ createdAt }) => createdAt <= until
  })
  return (network) => !wanted.every((test) => test(network))
}
