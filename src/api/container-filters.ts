import type { Engine } from '../engine/engine.js'
import type { ContainerSummary } from '../engine/types.js'
import { badRequest } from './errors.js'
import { type Filters, hasLabel } from './query.js'

type Test = (container: ContainerSummary) => boolean
type Rule = (value: string, all: readonly ContainerSummary[], engine: Engine) => Test | Promise<Test>

const STATES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead']

function nameTest(value: string): (name: string) => boolean {
  try {
    const pattern = new RegExp(value)
    return (name) => pattern.test(`/${name}`) || pattern.test(name)
  } catch {
    return (name) => name.includes(value)
  }
}

async function createdAt(value: string, all: readonly ContainerSummary[], engine: Engine): Promise<number> {
  const { id } = await engine.container(value)
  return all.find((container) => container.id === id)?.createdAt ?? 0
}

const bool = (name: string, value: string): boolean => {
  if (/^(1|t|true)$/i.test(value)) return true
  if (/^(0|f|false)$/i.test(value)) return false
  throw badRequest(`invalid filter '${name}=[${value}]'`)
}

/** `80`, `53/udp`, `8000-8010/tcp`. */
function portTest(value: string, also: (port: ContainerSummary['ports'][number]) => boolean): Test {
  const found = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(value)
  if (found === null) throw badRequest(`invalid port range in filter: ${value}`)
  const [from, to, protocol] = [Number(found[1]), Number(found[2] ?? found[1]), found[3] ?? 'tcp']
  return ({ ports }) => ports.some((it) => it.port >= from && it.port <= to && it.protocol === protocol && also(it))
}

/** Every filter of `GET /containers/json`: what one of its values asks of a container. */
const RULES: Readonly<Record<string, Rule>> = {
  ancestor: async (value, _all, engine) => {
    const id = await engine.inspectImage(value).then(
      (image) => image.Id,
      () => undefined,
    )
    return ({ image, imageId }) => image === value || imageId === id
  },
  before: async (value, all, engine) => {
    const at = await createdAt(value, all, engine)
    return (container) => container.createdAt < at
  },
  exited: (value) => {
    if (!/^-?\d+$/.test(value)) throw badRequest(`strconv.Atoi: parsing "${value}": invalid syntax`)
    return ({ state, exitCode }) => state === 'exited' && exitCode === Number(value)
  },
  expose: (value) => portTest(value, () => true),
  health: (value) => (container) => (container.health ?? 'none') === value,
  id:
    (value) =>
    ({ id }) =>
      id.startsWith(value),
  'is-task': (value) => {
    const wanted = bool('is-task', value)
    return () => !wanted
  },
  isolation: () => () => true,
  label:
    (value) =>
    ({ labels }) =>
      hasLabel(labels, value),
  name: (value) => {
    const test = nameTest(value)
    return ({ name }) => test(name)
  },
  network: async (value, _all, engine) => {
    const same = value === '' ? [] : (await engine.networks.list()).filter(({ id }) => id.startsWith(value))
    const named = new Set([value, ...same.map(({ name }) => name)])
    return ({ networks }) => networks.some((name) => named.has(name))
  },
  publish: (value) => portTest(value, ({ hostPort }) => hostPort !== undefined),
  since: async (value, all, engine) => {
    const at = await createdAt(value, all, engine)
    return (container) => container.createdAt > at
  },
  status: (value) => {
    if (!STATES.includes(value)) throw badRequest(`invalid filter 'status=[${value}]'`)
    return ({ state }) => state === value
  },
  volume:
    (value) =>
    ({ mounts }) =>
      mounts.includes(value),
}

export const CONTAINER_FILTERS = Object.keys(RULES)

/**
 * Those that match: any value of one filter (all, for labels), every filter.
 *
 * @param all also those that are not shown: what `before` and `since` name need not be
 */
export async function filterContainers(
  shown: ContainerSummary[],
  all: readonly ContainerSummary[],
  filters: Filters,
  engine: Engine,
): Promise<ContainerSummary[]> {
  const groups: Test[][] = []
  for (const name of filters.names()) {
    const tests = await Promise.all(filters.get(name).map((value) => RULES[name]!(value, all, engine)))
    if (name === 'label') groups.push(...tests.map((test) => [test]))
    else groups.push(tests)
  }
  return shown.filter((container) => groups.every((tests) => tests.some((test) => test(container))))
}
