import type { ContainerSummary } from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import type { Filter } from '../values/filter.js'
import { isTrue } from './filter-values.js'

interface Lookup {
  inspectImage(nameOrId: string): Promise<Record<string, unknown>>
  container(nameOrId: string): Promise<{ id: string }>
  networks: { list(): Promise<{ id: string; name: string }[]> }
}

type Test = (container: ContainerSummary) => boolean
type Rule = (value: string, all: readonly ContainerSummary[], engine: Lookup) => Test | Promise<Test>

const healths = new Set(['starting', 'healthy', 'unhealthy', 'none'])
const states = new Set(['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'])

/** A label filter: `key`, or `key=value`. */
export function labelTest(value: string): (labels: Record<string, string>) => boolean {
  const equals = value.indexOf('=')
  const key = equals < 0 ? value : value.slice(0, equals)
  return (labels) => Object.hasOwn(labels, key) && (equals < 0 || labels[key] === value.slice(equals + 1))
}

/** Docker takes a name filter for a regular expression, or for a part of the name where it is none. */
function namePattern(value: string): RegExp | undefined {
  try {
    return new RegExp(value)
  } catch {
    return undefined
  }
}

/** A filter of ports: `port` or `first-last`, with `/protocol`; tcp is meant without. */
function portTest(name: string, value: string): (port: number, protocol: string) => boolean {
  const match = /^(\d+)(?:-(\d+))?(?:\/([a-z]+))?$/.exec(value)
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])]
  if (match === null || last > 65535 || first > last) {
    throw invalidArgument(`invalid filter '${name}=${value}'`, {
      hint: 'a port or range, for example 80, 53/udp, 8000-8010/tcp',
    })
  }
  const wanted = match[3] ?? 'tcp'
  return (port, protocol) => port >= first && port <= last && protocol === wanted
}

async function createdAt(value: string, all: readonly ContainerSummary[], engine: Lookup): Promise<number> {
  const { id } = await engine.container(value)
  return all.find((container) => container.id === id)?.createdAt ?? 0
}

const rules: Readonly<Record<string, Rule>> = {
  id: (value) => (container) => container.id.startsWith(value),
  name: (value) => {
    const pattern = namePattern(value)
    return ({ name }) => (pattern === undefined ? name.includes(value) : pattern.test(name) || pattern.test(`/${name}`))
  },
  label: (value) => {
    const test = labelTest(value)
    return ({ labels }) => test(labels)
  },
  status: (value) => {
    if (!states.has(value)) throw invalidArgument(`invalid filter 'status=${value}'`, { hint: [...states].join(', ') })
    return ({ state }) => state === value
  },
  exited: (value) => {
    if (!/^\d+$/.test(value)) throw invalidArgument(`invalid filter 'exited=${value}'`)
    return ({ state, exitCode }) => state === 'exited' && exitCode === Number(value)
  },
  ancestor: async (value, _all, engine) => {
    const image = await engine.inspectImage(value).catch(() => undefined)
    return (container) => container.image === value || container.imageId === image?.Id
  },
  before: async (value, all, engine) => {
    const at = await createdAt(value, all, engine)
    return (container) => container.createdAt < at
  },
  since: async (value, all, engine) => {
    const at = await createdAt(value, all, engine)
    return (container) => container.createdAt > at
  },
  network: async (value, _all, engine) => {
    // A name, or the beginning of an ID.
    const same = value === '' ? [] : (await engine.networks.list()).filter(({ id }) => id.startsWith(value))
    const named = new Set([value, ...same.map(({ name }) => name)])
    return ({ networks }) => networks.some((name) => named.has(name))
  },
  volume: (value) => (container) => container.mounts.includes(value) || container.mountTargets.includes(value),
  health: (value) => {
    if (!healths.has(value))
      throw invalidArgument(`invalid filter 'health=${value}'`, { hint: [...healths].join(', ') })
    return ({ health }) => (health ?? 'none') === value
  },
  'is-task': (value) => {
    // No container belongs to a service here.
    const none = !isTrue(value, 'is-task')
    return () => none
  },
  isolation: () => () => true,
  publish: (value) => {
    const test = portTest('publish', value)
    return ({ ports }) => ports.some(({ hostPort, protocol }) => hostPort !== undefined && test(hostPort, protocol))
  },
  expose: (value) => {
    const test = portTest('expose', value)
    return ({ ports }) => ports.some(({ port, protocol }) => test(port, protocol))
  },
}

/**
 * Those that match: any value of one filter, all filters.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for an unknown filter
 */
export async function filterContainers(
  all: ContainerSummary[],
  filters: readonly Filter[],
  engine: Lookup,
): Promise<ContainerSummary[]> {
  const byName = new Map<string, Test[]>()
  for (const { name, value, negated } of filters) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (rule === undefined)
      throw invalidArgument(`invalid filter '${name}'`, { hint: `known are ${Object.keys(rules).join(', ')}` })
    const test = await rule(value, all, engine)
    const key = name === 'label' ? `label ${byName.size}` : name
    byName.set(key, [...(byName.get(key) ?? []), negated ? (it) => !test(it) : test])
  }
  return all.filter((container) => [...byName.values()].every((tests) => tests.some((test) => test(container))))
}
