import { parseDuration } from './duration.js'

/**
 * A moment for `--since` and `--until`: RFC 3339 date or time (local time without a zone), seconds since the epoch with
 * an optional fraction, or a Go duration before `now`.
 *
 * @param now milliseconds since the epoch
 * @returns milliseconds since the epoch
 */
export function parseTime(text: string, now: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const match = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}(?::\d{2}(?::\d{2}(\.\d+)?)?)?))?(Z|[+-]\d{2}:\d{2})?$/.exec(text)
  if (match) {
    const [, date, clock = '00', fraction = '', zone = ''] = match
    const full = `${clock.slice(0, clock.length - fraction.length)}:00:00`.slice(0, 8)
    const ms = Date.parse(`${date}T${full}${fraction}${zone}`)
    if (!Number.isNaN(ms)) return ms
  }
  try {
    return now - parseDuration(text)
  } catch {
    throw new Error(`invalid time: '${text}' (for example 2030-01-02T15:04:05Z, 1893456000 or 10m)`)
  }
}

/** As {@link parseTime}, to the nanosecond. */
export function parseTimeNano(text: string, now: number): bigint {
  const seconds = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text)
  if (seconds !== null) return BigInt(seconds[1]!) * 1_000_000_000n + BigInt((seconds[2] ?? '').padEnd(9, '0'))
  // Date has milliseconds only.
  const fraction = /T.*\.(\d{1,9})/.exec(text)?.[1]
  const ms = parseTime(fraction === undefined ? text : text.replace(`.${fraction}`, ''), now)
  return BigInt(Math.round(ms * 1000)) * 1000n + BigInt((fraction ?? '').padEnd(9, '0'))
}
