import type { EngineEvent } from '../../engine/types.js'
import type { Call } from '../call.js'
import type { Filters } from '../query.js'

const FILTERS = 'config container daemon event image label network node plugin scope secret service type volume'.split(
  ' ',
)

/** Docker's EventMessage. */
function message({ type, action, actor, timeNano }: EngineEvent): Record<string, unknown> {
  const legacy = type === 'container' || type === 'image'
  return {
    ...(legacy && {
      status: action,
      id: actor.id,
      ...(type === 'container' && { from: actor.attributes.image ?? '' }),
    }),
    Type: type,
    Action: action,
    Actor: { ID: actor.id, Attributes: actor.attributes },
    scope: 'local',
    time: Number(timeNano / 1_000_000_000n),
    // The number is beyond what a JavaScript number holds exactly.
    timeNano: 0,
  }
}

/** One line of the stream. */
export function eventText(event: EngineEvent): string {
  const text = JSON.stringify(message(event))
  return `${text.slice(0, text.lastIndexOf('0'))}${event.timeNano}}\n`
}

export async function events(call: Call): Promise<void> {
  const filters = call.query.filters(FILTERS)
  const [since, until] = [call.query.time('since'), call.query.time('until')]
  const all = call.engine.events({
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    filters: {
      ...Object.fromEntries(filters.names().map((name) => [name, filters.get(name)])),
      ...label(call, filters),
    },
    signal: call.signal,
  })
  await call.reply.start(200, { 'Content-Type': 'application/json' })
  for await (const event of all) {
    const attributes = call.resident.shownLabels(event.actor.attributes)
    if (!(await call.reply.write(eventText({ ...event, actor: { ...event.actor, attributes } })))) break
  }
}

/** What the clients of a socket that is limited to labels may see of events. */
function label(call: Call, filters: Filters): Record<string, string[]> {
  const own = call.resident.labelFilters
  return own.length === 0 ? {} : { label: [...filters.get('label'), ...own] }
}
