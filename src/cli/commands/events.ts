import type { EngineEvent } from '../../engine/types.js'
import type { Command } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { eventFields, eventLine } from '../format/event.js'
import { compileObject, renderObject } from '../format/json.js'
import { type Filter, filterLists } from '../values/filter.js'
import { parseTimeNano } from '../values/time.js'

export const command: Command = {
  spec: {
    name: 'events',
    aliases: ['system events', 'events'],
    usage: '[OPTIONS]',
    summary: 'Get real time events from the server',
    args: [0, 0],
    flags: [
      ['f', 'filter', 'filter', 'Show only what matches (type=container, event=die, container=web, label=a=b, ...)'],
      ['', 'format', 'string', "'json' or a Go template"],
      ['', 'since', 'string', 'Begin in the past: a time, or how long ago (10m)'],
      ['', 'until', 'string', 'End at a time, or that long ago'],
    ],
    examples: [
      'jubako events --filter event=die',
      'jubako events --since 10m --until 0s',
      "jubako events --format '{{.Action}} {{.Actor.Attributes.name}}'",
    ],
  },
  async run(flags, context) {
    const now = Date.now()
    const since = moment(flags.string('since'), now)
    const until = moment(flags.string('until'), now)
    if (since !== undefined && until !== undefined && since > until) {
      throw new UsageError('since time cannot be after until time', 'events', EXIT.failure)
    }
    const show = formatter(flags.string('format'))
    const engine = await context.engine()
    const events = engine.events({
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
      filters: filterLists(flags.list<Filter>('filter')),
    })
    for await (const event of events) context.out.line(show(event))
    return EXIT.ok
  },
}

const moment = (text: string | undefined, now: number): bigint | undefined =>
  text === undefined || text === '' ? undefined : parseTimeNano(text, now)

function formatter(format: string | undefined): (event: EngineEvent) => string {
  if (format === undefined || format === '') return eventLine
  const render = compileObject(format === 'json' ? '{{json .}}' : format)
  return (event) => renderObject(render, eventFields(event))
}
