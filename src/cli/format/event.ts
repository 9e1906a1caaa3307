import type { EngineEvent } from '../../engine/types.js'
import { Fields } from '../template/index.js'

const BILLION = 1_000_000_000n

/** RFC 3339 in local time with nine digits, as docker begins a line of `events`. */
export function nanoTime(timeNano: bigint): string {
  const date = new Date(Number(timeNano / 1_000_000n))
  const two = (value: number): string => String(value).padStart(2, '0')
  const offset = -date.getTimezoneOffset()
  const [hours, minutes] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60]
  const zone = offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${two(hours)}:${two(minutes)}`
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day}T${clock}.${String(timeNano % BILLION).padStart(9, '0')}${zone}`
}

/** One line of `events`. */
export function eventLine({ type, action, actor, timeNano }: EngineEvent): string {
  const attributes = Object.entries(actor.attributes).sort(([a], [b]) => (a < b ? -1 : 1))
  const details = attributes.map(([name, value]) => `${name}=${value}`).join(', ')
  return `${nanoTime(timeNano)} ${type} ${action} ${actor.id}${details === '' ? '' : ` (${details})`}`
}

/** An event as docker's API has it (Engine API 1.51, EventMessage), in the order of its JSON. */
function eventJson({ type, action, actor, timeNano }: EngineEvent): Record<string, unknown> {
  const short = type === 'container' || type === 'image'
  const attributes = Object.fromEntries(Object.entries(actor.attributes).sort(([a], [b]) => (a < b ? -1 : 1)))
  return {
    ...(short && { status: action, id: actor.id }),
    ...(type === 'container' && { from: actor.attributes.image ?? '' }),
    Type: type,
    Action: action,
    Actor: { ID: actor.id, Attributes: attributes },
    scope: 'local',
    time: timeNano / BILLION,
    timeNano,
  }
}

/** What a template sees: the fields by their Go names, and as JSON the API's. */
class EventFields extends Fields {
  constructor(private readonly event: EngineEvent) {
    const json = eventJson(event)
    super('events.Message', {
      Status: json.status ?? '',
      ID: json.id ?? '',
      From: json.from ?? '',
      Type: event.type,
      Action: event.action,
      Actor: json.Actor,
      Scope: 'local',
      Time: json.time,
      TimeNano: event.timeNano,
    })
  }

  override toJSON(): Record<string, unknown> {
    return eventJson(this.event)
  }
}

export const eventFields = (event: EngineEvent): Fields => new EventFields(event)
