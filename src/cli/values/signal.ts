import { constants } from 'node:os'

const SIGRTMIN = 34
const SIGRTMAX = 64

/**
 * A signal by number or name, with or without `SIG`, in any case; `RTMIN+n` and `RTMAX-n` too.
 *
 * @returns the number where the name is not one of Node's, else the name with `SIG`
 */
export function parseSignal(text: string): string | number {
  if (/^[0-9]+$/.test(text)) {
    const number = Number(text)
    if (number < 1 || number > SIGRTMAX) throw new Error(`invalid signal: ${text}`)
    return number
  }
  const name = text.toUpperCase().replace(/^SIG/, '')
  const real = /^RT(MIN|MAX)(?:([+-])([0-9]+))?$/.exec(name)
  if (real) {
    const base = real[1] === 'MIN' ? SIGRTMIN : SIGRTMAX
    const number = base + (real[2] === '-' ? -1 : 1) * Number(real[3] ?? 0)
    if (number >= SIGRTMIN && number <= SIGRTMAX) return number
  }
  if (Object.hasOwn(constants.signals, `SIG${name}`)) return `SIG${name}`
  throw new Error(`invalid signal: ${text}`)
}
