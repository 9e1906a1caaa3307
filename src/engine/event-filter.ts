import { invalidArgument } from '../errors/index.js'
import type { EngineEvent } from './event-types.js'

type Test = (event: EngineEvent, wanted: string) => boolean

const begins: Test = ({ actor }, wanted) =>
  actor.id.startsWith(wanted) || (actor.attributes.name ?? '').startsWith(wanted)

/** `a:tag` is `a` too; a digest stays. */
const withoutTag = (name: string): string => name.replace(/(?<!@sha256):[^/:@]+$/, '')

const image: Test = (event, wanted) => {
  const name = event.actor.attributes[event.type === 'image' ? 'name' : 'image'] ?? ''
  return [event.actor.id, name, withoutTag(event.actor.id), withoutTag(name)].includes(wanted)
}

/** These actions go on with details after a colon. */
const detailed = ['health_status', 'exec_create', 'exec_start']

const action: Test = (event, wanted) =>
  event.action === wanted || (detailed.includes(wanted) && event.action.startsWith(`${wanted}:`))

const label: Test = ({ actor: { attributes } }, wanted) => {
  const at = wanted.indexOf('=')
  if (at < 0) return Object.hasOwn(attributes, wanted)
  const name = wanted.slice(0, at)
  return Object.hasOwn(attributes, name) && attributes[name] === wanted.slice(at + 1)
}

/** Docker's filters of events; what one cluster or plugin has, nothing here has. */
const tests: Readonly<Record<string, Test>> = {
  type: ({ type }, wanted) => type === wanted,
  event: action,
  container: begins,
  image,
  volume: begins,
  network: begins,
  plugin: begins,
  daemon: begins,
  node: begins,
  service: begins,
  secret: begins,
  config: begins,
  label,
  scope: (_, wanted) => wanted === 'local',
}

/**
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for a filter that does not exist
 */
export function eventFilter(filters: Readonly<Record<string, readonly string[]>>): (event: EngineEvent) => boolean {
  const conditions = Object.entries(filters).map(([name, values]) => {
    const test = Object.hasOwn(tests, name) ? tests[name] : undefined
    if (test === undefined) {
      throw invalidArgument(`invalid filter '${name}'`, { hint: `known are ${Object.keys(tests).sort().join(', ')}` })
    }
    // Docker: all labels, but one of several other values.
    if (name === 'label') return (event: EngineEvent) => values.every((value) => test(event, value))
    return (event: EngineEvent) => values.length === 0 || values.some((value) => test(event, value))
  })
  return (event) => conditions.every((holds) => holds(event))
}
