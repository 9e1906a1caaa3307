import type { Statement } from './parse.js'
import { didYouMean } from './suggest.js'

export type FlagKind = 'string' | 'bool' | 'strings'

/** Flags of one instruction: `--name=value`. */
export interface Flags {
  string(name: string): string | undefined
  bool(name: string): boolean | undefined
  strings(name: string): string[]
}

/**
 * @throws Error in BuildKit's words
 */
export function parseInstructionFlags(statement: Statement, known: Readonly<Record<string, FlagKind>>): Flags {
  const values = new Map<string, string[]>()
  for (const flag of statement.flags) {
    const at = flag.indexOf('=')
    const shown = at < 0 ? flag : flag.slice(0, at)
    const name = shown.slice(2)
    const value = at < 0 ? undefined : flag.slice(at + 1)
    const kind = Object.hasOwn(known, name) ? known[name] : undefined
    if (kind === undefined) throw new Error(`unknown flag: ${shown}${didYouMean(name, Object.keys(known))}`)
    const before = values.get(name) ?? []
    if (before.length > 0 && kind !== 'strings') throw new Error(`duplicate flag specified: ${shown}`)
    values.set(name, [...before, checked(shown, kind, value)])
  }
  return {
    string: (name) => values.get(name)?.[0],
    bool: (name) => (values.has(name) ? values.get(name)![0] === 'true' : undefined),
    strings: (name) => values.get(name) ?? [],
  }
}

function checked(shown: string, kind: FlagKind, value: string | undefined): string {
  if (kind !== 'bool') {
    if (value === undefined) throw new Error(`missing a value on flag: ${shown}`)
    return value
  }
  if (value === '') throw new Error(`missing a value on flag: ${shown}`)
  const lower = (value ?? 'true').toLowerCase()
  if (lower !== 'true' && lower !== 'false') {
    throw new Error(`expecting boolean value for flag ${shown}, not: ${value}`)
  }
  return lower
}
