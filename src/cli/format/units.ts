import { general } from '../template/printf.js'

const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB']
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

function scale(bytes: number, base: number, units: readonly string[], digits: number): string {
  let value = bytes
  let at = 0
  while (value >= base && at < units.length - 1) {
    value /= base
    at++
  }
  return `${general(value, digits)}${units[at]}`
}

/** Powers of 1000 with 3 significant digits: `117MB`, as docker shows sizes of images and containers. */
export function humanSize(bytes: number, digits = 3): string {
  return scale(bytes, 1000, DECIMAL, digits)
}

/** Powers of 1024 with 4 significant digits: `23.54GiB`, as docker shows memory. */
export function binarySize(bytes: number): string {
  return scale(bytes, 1024, BINARY, 4)
}

/** `2026-11-25 05:01:53 +0000 UTC`, in the local time zone, as docker shows moments in tables. */
export function localTime(ms: number): string {
  const date = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  const offset = -date.getTimezoneOffset()
  const sign = offset < 0 ? '-' : '+'
  const zone = `${sign}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day} ${clock} ${zone} ${zoneName(date, zone)}`
}

/** By offset: asking takes longer than all the rest of a table. */
const zoneNames = new Map<string, string>()

function zoneName(date: Date, offset: string): string {
  const known = zoneNames.get(offset)
  if (known !== undefined) return known
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date)
  const name = parts.find((part) => part.type === 'timeZoneName')?.value ?? ''
  const shown = /^[A-Z]{2,5}$/.test(name) ? name : offset
  zoneNames.set(offset, shown)
  return shown
}

/** Cuts to `length` characters, the last one an ellipsis. */
export function ellipsis(text: string, length: number): string {
  const chars = [...text]
  return chars.length <= length ? text : `${chars.slice(0, length - 1).join('')}…`
}

/** First 12 digits of an ID or digest, without `sha256:`. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}

/** `2026-11-25T05:01:53Z`, or with the local zone's offset. */
export function rfc3339(ms: number): string {
  const offset = -new Date(ms).getTimezoneOffset()
  const local = new Date(ms + offset * 60_000).toISOString().slice(0, 19)
  if (offset === 0) return `${local}Z`
  const two = (value: number): string => String(value).padStart(2, '0')
  const minutes = Math.abs(offset)
  return `${local}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
