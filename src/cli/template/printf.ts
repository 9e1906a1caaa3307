import { exponent, formatNumber, isMap, isNil, print, sortedKeys, toJson, typeName } from './values.js'

interface Directive {
  minus: boolean
  plus: boolean
  sharp: boolean
  zero: boolean
  space: boolean
  width: number | undefined
  precision: number | undefined
}

/** Go's `fmt.Sprintf` for the values a template has. */
export function sprintf(format: string, args: readonly unknown[]): string {
  let next = 0
  let reordered = false
  const star = (): number => Number(args[next++])
  const body = format.replace(
    /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d*))?(?:\[(\d+)\])?([\s\S]?)/g,
    (_, flags: string, width?: string, precision?: string, index?: string, verb?: string) => {
      const directive: Directive = {
        minus: flags.includes('-'),
        plus: flags.includes('+'),
        sharp: flags.includes('#'),
        zero: flags.includes('0'),
        space: flags.includes(' '),
        width: width === '*' ? star() : width === undefined ? undefined : Number(width),
        precision: precision === '*' ? star() : precision === undefined ? undefined : Number(precision),
      }
      if (verb === '%') return '%'
      if (verb === undefined || verb === '') return '%!(NOVERB)'
      if (index !== undefined) {
        next = Number(index) - 1
        reordered = true
      }
      if (next >= args.length || next < 0) return `%!${verb}(${index === undefined ? 'MISSING' : 'BADINDEX'})`
      return pad(convert(verb, args[next++], directive), directive, verb)
    },
  )
  if (reordered || next >= args.length) return body
  const extra = args.slice(next).map((arg) => (isNil(arg) ? '<nil>' : `${typeName(arg)}=${print(arg)}`))
  return `${body}%!(EXTRA ${extra.join(', ')})`
}

function convert(verb: string, value: unknown, directive: Directive): string {
  if (verb === 'T') return typeName(value)
  if (verb === 'v') return directive.sharp ? goSyntax(value) : plain(value, directive)
  if (Array.isArray(value)) return `[${value.map((item) => convert(verb, item, directive)).join(' ')}]`
  if (isMap(value)) {
    return `map[${sortedKeys(value)
      .map((key) => `${bad(verb, key, directive)}:${convert(verb, value[key], directive)}`)
      .join(' ')}]`
  }
  return bad(verb, value, directive)
}

function plain(value: unknown, directive: Directive): string {
  if (typeof value !== 'number') return print(value)
  return sign(value, formatNumber(value), directive)
}

/** A scalar under a verb; a verb that does not fit the type gives Go's `%!d(string=hi)`. */
function bad(verb: string, value: unknown, directive: Directive): string {
  const convert = isNil(value) ? undefined : CONVERSIONS[typeof value]?.[verb]
  if (convert === undefined) return `%!${verb}(${isNil(value) ? '<nil>' : `${typeName(value)}=${print(value)}`})`
  return convert(value as never, directive)
}

type Conversion = (value: never, directive: Directive) => string
const text = (convert: (value: string, directive: Directive) => string) => convert as Conversion
const number = (convert: (value: number, directive: Directive) => string) => convert as Conversion
const bytes = (value: string): string => Buffer.from(value).toString('hex')

const CONVERSIONS: Record<string, Record<string, Conversion>> = {
  string: {
    s: text((value, d) => cut(value, d.precision)),
    q: text((value, d) => (d.sharp && !value.includes('`') ? `\`${value}\`` : quote(cut(value, d.precision)))),
    x: text((value) => bytes(value)),
    X: text((value) => bytes(value).toUpperCase()),
  },
  boolean: { t: ((value: boolean) => String(value)) as Conversion },
  number: {
    d: number((value, d) => whole('d', value, d, 10)),
    b: number((value, d) => whole('b', value, d, 2, '0b')),
    o: number((value, d) => whole('o', value, d, 8, '0')),
    O: number((value, d) => whole('O', value, { ...d, sharp: true }, 8, '0o')),
    x: number((value, d) => whole('x', value, d, 16, '0x')),
    X: number((value, d) => whole('X', value, d, 16, '0X').toUpperCase()),
    c: number((value) => String.fromCodePoint(value)),
    q: number((value) => `'${String.fromCodePoint(value)}'`),
    U: number((value) => `U+${value.toString(16).toUpperCase().padStart(4, '0')}`),
    f: number((value, d) => sign(value, value.toFixed(d.precision ?? 6), d)),
    F: number((value, d) => sign(value, value.toFixed(d.precision ?? 6), d)),
    e: number((value, d) => sign(value, exponent(value.toExponential(d.precision ?? 6)), d)),
    E: number((value, d) => sign(value, exponent(value.toExponential(d.precision ?? 6)).toUpperCase(), d)),
    g: number((value, d) => sign(value, general(value, d.precision), d)),
    G: number((value, d) => sign(value, general(value, d.precision).toUpperCase(), d)),
  },
}

function whole(verb: string, value: number, directive: Directive, base: number, prefix = ''): string {
  if (!Number.isInteger(value)) return `%!${verb}(float64=${formatNumber(value)})`
  const digits = BigInt(Math.abs(value))
    .toString(base)
    .padStart(directive.precision ?? 0, '0')
  return sign(value, `${value < 0 ? '-' : ''}${directive.sharp ? prefix : ''}${digits}`, directive)
}

/** `%g`: the shortest form, or with `precision` significant digits and no trailing zeros. */
export function general(value: number, precision?: number): string {
  if (precision === undefined || !Number.isFinite(value)) return formatNumber(value)
  const digits = Math.max(precision, 1)
  const [mantissa, power] = value.toExponential(digits - 1).split('e') as [string, string]
  const trim = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text)
  if (Number(power) < -4 || Number(power) >= digits) return exponent(`${trim(mantissa)}e${power}`)
  return trim(value.toFixed(Math.max(digits - 1 - Number(power), 0)))
}

function sign(value: number, shown: string, directive: Directive): string {
  if (value < 0 || Object.is(value, -0) || shown.startsWith('+')) return shown
  return directive.plus ? `+${shown}` : directive.space ? ` ${shown}` : shown
}

function pad(shown: string, directive: Directive, verb: string): string {
  const missing = (directive.width ?? 0) - [...shown].length
  if (missing <= 0) return shown
  if (directive.minus) return shown + ' '.repeat(missing)
  if (!directive.zero || 'vTcqU'.includes(verb)) return ' '.repeat(missing) + shown
  const signLength = /^[+-]/.test(shown) ? 1 : 0
  return shown.slice(0, signLength) + '0'.repeat(missing) + shown.slice(signLength)
}

const cut = (value: string, precision: number | undefined): string =>
  precision === undefined ? value : [...value].slice(0, precision).join('')

/** A Go string literal. */
export function quote(value: string): string {
  return JSON.stringify(value)
    .replace(/\\u00(0b|07)/g, (_, code: string) => (code === '0b' ? '\\v' : '\\a'))
    .replace(/\\u00/g, '\\x')
}

function goSyntax(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  if (isNil(value)) return '<nil>'
  return typeof value === 'object'
    ? `${typeName(value)}${toJson(value).replace(/^\[/, '{').replace(/\]$/, '}')}`
    : print(value)
}
