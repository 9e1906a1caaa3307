/** Values that filters of several kinds of objects take. */
import { invalidArgument } from '../../errors/index.js'
import { parseTime } from '../values/time.js'

/** `until`: milliseconds since the epoch. */
export function untilTime(value: string, now: number): number {
  try {
    return parseTime(value, now)
  } catch {
    throw invalidArgument(`failed to parse value as time or duration: ${JSON.stringify(value)}`)
  }
}

/** @throws JubakoError for what is neither true nor false */
export function isTrue(value: string, name = 'dangling'): boolean {
  if (/^(1|t|true)$/i.test(value)) return true
  if (/^(0|f|false)$/i.test(value)) return false
  throw invalidArgument(`invalid filter '${name}=[${value}]'`)
}
