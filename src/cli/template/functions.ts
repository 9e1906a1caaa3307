import { sprintf } from './printf.js'
import { Fields, isMap, isNil, print, sortedKeys, toJson, typeName } from './values.js'

/** A template function. Throws an Error whose message the evaluator puts into its own. */
export type TemplateFunction = (...args: never[]) => unknown

function index(target: unknown, ...keys: unknown[]): unknown {
  let value = target
  for (const key of keys) {
    if (isNil(value)) throw new Error('index of untyped nil')
    if (Array.isArray(value) || typeof value === 'string') value = element(value, key)
    else if (isMap(value)) {
      if (typeof key !== 'string') throw new Error(`value has type ${typeName(key)}; should be string`)
      value = Object.hasOwn(value, key) ? value[key] : ''
    } else throw new Error(`can't index item of type ${typeName(value)}`)
  }
  return value
}

function element(value: unknown[] | string, key: unknown): unknown {
  if (typeof key !== 'number') throw new Error(`cannot index slice/array with type ${typeName(key)}`)
  if (!Number.isInteger(key) || key < 0 || key >= value.length) throw new Error(`index out of range: ${key}`)
  return typeof value === 'string' ? Buffer.from(value)[key] : value[key]
}

function slice(value: unknown, ...bounds: unknown[]): unknown {
  if (typeof value !== 'string' && !Array.isArray(value)) throw new Error(`can't slice item of type ${typeName(value)}`)
  if (bounds.length > 3) throw new Error(`too many slice indexes: ${bounds.length}`)
  if (typeof value === 'string' && bounds.length === 3) throw new Error('cannot 3-index slice a string')
  const data = typeof value === 'string' ? Buffer.from(value) : value
  const [start = 0, end = data.length] = bounds.map((bound) => {
    if (typeof bound !== 'number') throw new Error(`cannot index slice/array with type ${typeName(bound)}`)
    if (bound < 0 || bound > data.length) throw new Error(`index out of range: ${bound}`)
    return bound
  })
  if (start > end) throw new Error(`invalid slice index: ${start} > ${end}`)
  return typeof value === 'string' ? (data as Buffer).subarray(start, end).toString() : value.slice(start, end)
}

function len(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.length
  if (isMap(value)) return Object.keys(value).length
  throw new Error(isNil(value) ? 'len of nil pointer' : `len of type ${typeName(value)}`)
}

/** Go's basic kinds; values of different kinds cannot be compared. */
function kind(value: unknown): string {
  if (isNil(value)) return 'nil'
  if (typeof value === 'object') throw new Error('non-comparable type')
  return typeof value
}

function equal(first: unknown, second: unknown): boolean {
  const [a, b] = [kind(first), kind(second)]
  if (a !== b && a !== 'nil' && b !== 'nil') throw new Error('incompatible types for comparison')
  return a === b && (a === 'nil' || first === second)
}

function eq(first: unknown, ...rest: unknown[]): boolean {
  if (rest.length === 0) throw new Error('missing argument for comparison')
  return rest.some((other) => equal(first, other))
}

function less(first: unknown, second: unknown): boolean {
  const [a, b] = [kind(first), kind(second)]
  if (a !== b) throw new Error('incompatible types for comparison')
  if (a === 'boolean' || a === 'nil') throw new Error('invalid type for comparison')
  if (typeof first === 'string') return Buffer.compare(Buffer.from(first), Buffer.from(second as string)) < 0
  return (first as number) < (second as number)
}

/** `fmt.Sprint`: a space between two values that are both no strings. */
function sprint(...args: unknown[]): string {
  return args
    .map((arg, at) => (at > 0 && typeof arg !== 'string' && typeof args[at - 1] !== 'string' ? ' ' : '') + print(arg))
    .join('')
}

const HTML: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
  '\0': '\ufffd',
}
const JS: Record<string, string> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
}

const asText = (value: unknown): string => {
  if (typeof value === 'string') return value
  throw new Error(`wrong type for value; expected string; got ${typeName(value)}`)
}
const onText = (convert: (text: string) => string) => (value: unknown) => convert(asText(value))

/** Functions of text/template, and those that docker adds. `and` and `or` are the evaluator's: they stop early. */
export const FUNCTIONS: Record<string, TemplateFunction> = {
  call: () => {
    throw new Error('call of a value that is no function')
  },
  html: (...args: unknown[]) => sprint(...args).replace(/[&<>"'\0]/g, (char) => HTML[char] as string),
  index,
  js: (...args: unknown[]) =>
    sprint(...args).replace(
      /[\\'"<>&=\p{Cc}]/gu,
      (char) => JS[char] ?? `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
    ),
  len,
  print: sprint,
  printf: (format: unknown, ...args: unknown[]) => sprintf(asText(format), args),
  println: (...args: unknown[]) => `${args.map(print).join(' ')}\n`,
  slice,
  urlquery: (...args: unknown[]) =>
    encodeURIComponent(sprint(...args))
      .replace(/%20/g, '+')
      .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
  eq,
  ne: (first: unknown, second: unknown) => !equal(first, second),
  lt: less,
  le: (first: unknown, second: unknown) => less(first, second) || equal(first, second),
  gt: (first: unknown, second: unknown) => less(second, first),
  ge: (first: unknown, second: unknown) => less(second, first) || equal(first, second),
  json: (value: unknown) => toJson(value),
  split: (text: unknown, separator: unknown) =>
    asText(separator) === '' ? [...asText(text)] : asText(text).split(asText(separator)),
  join: (list: unknown, separator: unknown) => {
    if (isNil(list)) return ''
    if (!Array.isArray(list)) throw new Error(`wrong type for value; expected []string; got ${typeName(list)}`)
    return list.map(print).join(asText(separator))
  },
  title: onText((text) =>
    text.replace(/(^|[^\p{L}\p{N}_'])(\p{Ll})/gu, (_, before: string, letter: string) => before + letter.toUpperCase()),
  ),
  lower: onText((text) => text.toLowerCase()),
  upper: onText((text) => text.toUpperCase()),
  pad: (text: unknown, before: unknown, after: unknown) =>
    asText(text) === '' ? '' : ' '.repeat(Number(before)) + asText(text) + ' '.repeat(Number(after)),
  truncate: (text: unknown, length: unknown) => {
    const value = asText(text)
    return value.length < Number(length) ? value : value.slice(0, Number(length))
  },
}

/** How many arguments each function takes: least, and most where it is not open. */
export const ARITY: Record<string, readonly [min: number, max: number]> = {
  call: [1, Number.POSITIVE_INFINITY],
  index: [1, Number.POSITIVE_INFINITY],
  len: [1, 1],
  printf: [1, Number.POSITIVE_INFINITY],
  slice: [1, Number.POSITIVE_INFINITY],
  eq: [1, Number.POSITIVE_INFINITY],
  ne: [2, 2],
  lt: [2, 2],
  le: [2, 2],
  gt: [2, 2],
  ge: [2, 2],
  json: [1, 1],
  split: [2, 2],
  join: [2, 2],
  title: [1, 1],
  lower: [1, 1],
  upper: [1, 1],
  pad: [3, 3],
  truncate: [2, 2],
  not: [1, 1],
  and: [1, Number.POSITIVE_INFINITY],
  or: [1, Number.POSITIVE_INFINITY],
}

/** Entries to range over, as [key, element]. */
export function entries(value: unknown): [unknown, unknown][] {
  if (isNil(value)) return []
  if (Array.isArray(value)) return value.map((item, at) => [at, item])
  if (isMap(value)) return sortedKeys(value).map((key) => [key, value[key]])
  if (typeof value === 'number' && Number.isInteger(value))
    return Array.from({ length: Math.max(value, 0) }, (_, at) => [at, at])
  if (value instanceof Fields) throw new Error(`range can't iterate over ${print(value)}`)
  throw new Error(`range can't iterate over ${print(value)}`)
}
