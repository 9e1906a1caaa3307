import { constants } from 'node:os'
import { invalidArgument } from '../errors/index.js'

const numbers = new Map(Object.entries(constants.signals).map(([name, number]) => [name, number as number]))
const names = new Map([...numbers].map(([name, number]) => [number, name]))
const firstRealTime = 34
const lastRealTime = 64

/**
 * Number of a signal given as Docker takes it: `SIGTERM`, `term`, `15`, `RTMIN+3`.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT
 */
export function signalNumber(signal: string | number): number {
  const text = String(signal).toUpperCase()
  if (/^\d+$/.test(text)) {
    const number = Number(text)
    if (number >= 1 && number <= lastRealTime) return number
  }
  const name = text.startsWith('SIG') ? text : `SIG${text}`
  const known = numbers.get(name)
  if (known !== undefined) return known
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name)
  if (realTime !== null) {
    const base = realTime[1] === 'MIN' ? firstRealTime : lastRealTime
    const number = base + (realTime[2] === '-' ? -1 : 1) * Number(realTime[3] ?? 0)
    if (number >= firstRealTime && number <= lastRealTime) return number
  }
  throw invalidArgument(`invalid signal: ${signal}`, { hint: 'use a name like SIGTERM or a number from 1 to 64' })
}

/** `SIGKILL` for 9; the number itself for one without a name. */
export function signalName(number: number): string {
  return names.get(number) ?? `SIGRTMIN+${number - firstRealTime}`
}
