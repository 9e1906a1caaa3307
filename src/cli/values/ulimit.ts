import type { UlimitOption } from '../../engine/types.js'

const NAMES = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
)

/** One `--ulimit`: `name=soft[:hard]`; -1 is unlimited, the hard limit is the soft one when not given. */
export function parseUlimit(text: string): UlimitOption {
  const [name, limits, ...more] = text.split('=') as [string, string?, ...string[]]
  if (limits === undefined || more.length > 0) throw new Error(`invalid ulimit argument: ${text} (name=soft[:hard])`)
  if (!NAMES.has(name)) throw new Error(`invalid ulimit type: ${name}`)
  const [softText, hardText = softText, ...rest] = limits.split(':') as [string, string?, ...string[]]
  const [soft, hard] = [softText, hardText].map((value) => (/^-?[0-9]+$/.test(value) ? Number(value) : Number.NaN)) as [
    number,
    number,
  ]
  if (rest.length > 0 || !(soft >= -1) || !(hard >= -1))
    throw new Error(`invalid ulimit value: ${limits} (soft[:hard], whole numbers)`)
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${softText} > ${hardText}`)
  }
  return { name, soft, hard }
}
