/** Limits, in seconds below which a unit is used, with its length and name. */
const SPANS: readonly (readonly [below: number, length: number, unit: string])[] = [
  [48 * 3600, 3600, 'hours'],
  [14 * 86400, 86400, 'days'],
  [60 * 86400, 7 * 86400, 'weeks'],
  [730 * 86400, 30 * 86400, 'months'],
  [Number.POSITIVE_INFINITY, 365 * 86400, 'years'],
]

/** A length of time in docker's words: `3 seconds`, `About a minute`, `2 hours`, `5 weeks`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds < 60) return seconds === 1 ? '1 second' : `${seconds} seconds`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return minutes === 1 ? 'About a minute' : `${minutes} minutes`
  const hours = Math.floor(ms / 3600e3 + 0.5)
  if (hours === 1) return 'About an hour'
  const [, length, unit] = SPANS.find(([below]) => hours * 3600 < below) as (typeof SPANS)[number]
  return `${Math.floor((hours * 3600) / length)} ${unit}`
}
