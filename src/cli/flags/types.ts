import { parseBytes, parseMemorySwap } from '../values/bytes.js'
import { parseDuration } from '../values/duration.js'
import { parseFilter } from '../values/filter.js'
import type { FlagType } from './spec.js'

interface TypeRule {
  /** Name in `--help`; empty for flags without a value. */
  label: string
  /** Every use adds a value. */
  repeat: boolean
  parse(text: string): unknown
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False'])

function parseBool(text: string): boolean {
  if (TRUE.has(text)) return true
  if (FALSE.has(text)) return false
  throw new Error('must be true or false')
}

function integer(min: bigint, max: bigint) {
  return (text: string): number => {
    if (!/^[+-]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|0[bB][01]+|[1-9][0-9]*)$/.test(text))
      throw new Error('must be a whole number')
    const negative = text.startsWith('-')
    const digits = text.replace(/^[+-]/, '').replace(/^0(?=[0-7])/, '0o')
    const value = negative ? -BigInt(digits) : BigInt(digits)
    if (value < min || value > max) throw new Error(`must be between ${min} and ${max}`)
    return Number(value)
  }
}

function parseDecimal(text: string): number {
  const fraction = /^([+-]?[0-9]+)\/([0-9]+)$/.exec(text)
  if (fraction) {
    const value = Number(fraction[1]) / Number(fraction[2])
    if (Number.isFinite(value)) return value
  }
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(text))
    throw new Error('must be a number, for example 1.5')
  return Number(text)
}

const text = (value: string): string => value
const int64 = integer(-(2n ** 63n), 2n ** 63n - 1n)
const rule = (label: string, repeat: boolean, parse: (text: string) => unknown): TypeRule => ({ label, repeat, parse })

/** Grammar and help name of every flag type. Numbers take Go's base prefixes (`0x10`, `010`, `0b1`), as docker does. */
export const FLAG_TYPES: Record<FlagType, TypeRule> = {
  bool: rule('', false, parseBool),
  string: rule('string', false, text),
  list: rule('list', true, text),
  stringSlice: rule('strings', true, text),
  map: rule('map', true, text),
  int: rule('int', false, int64),
  int64: rule('int', false, int64),
  uint16: rule('uint16', false, integer(0n, 65535n)),
  uint64: rule('uint', false, integer(0n, 2n ** 64n - 1n)),
  decimal: rule('decimal', false, parseDecimal),
  bytes: rule('bytes', false, parseBytes),
  'memory-swap': rule('bytes', false, parseMemorySwap),
  duration: rule('duration', false, parseDuration),
  filter: rule('filter', true, parseFilter),
  mount: rule('mount', true, text),
  network: rule('network', true, text),
  ulimit: rule('ulimit', true, text),
  'gpu-request': rule('gpu-request', true, text),
}
