/** How Go's template engine sees values. Maps and structs are plain objects here, slices arrays, nil is null or undefined. */

/** An object whose fields are computed, and whose unknown fields are errors: what `ps --format` gives a template. */
export class Fields {
  constructor(
    /** Go's name of the type, for messages. */
    readonly typeName: string,
    /** Values, or functions that take the template's arguments. */
    readonly fields: Readonly<Record<string, unknown>>,
  ) {}

  /** Functions without arguments are fields too. */
  toJSON(): Record<string, unknown> {
    const entries = Object.entries(this.fields)
      .map(([name, value]) => [name, typeof value === 'function' ? undefined : value] as const)
      .filter(([, value]) => value !== undefined)
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

export const isNil = (value: unknown): value is null | undefined => value === null || value === undefined

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Fields)

/** Go's truth: everything but false, 0, "", nil and empty collections. */
export function truth(value: unknown): boolean {
  if (isNil(value)) return false
  if (Array.isArray(value)) return value.length > 0
  if (isMap(value)) return Object.keys(value).length > 0
  return value instanceof Fields || Boolean(value)
}

/** Name of a value's Go type, as messages and `%T` say it. */
export function typeName(value: unknown): string {
  if (isNil(value)) return '<nil>'
  if (value instanceof Fields) return value.typeName
  if (Array.isArray(value)) return '[]interface {}'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  if (typeof value === 'bigint') return 'int64'
  if (typeof value === 'boolean') return 'bool'
  return typeof value === 'string' ? 'string' : 'map[string]interface {}'
}

/** Keys of a map in Go's printing order. */
export function sortedKeys(map: Record<string, unknown>): string[] {
  return Object.keys(map).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}

/** `%v`. */
export function print(value: unknown): string {
  if (isNil(value)) return '<nil>'
  if (typeof value === 'number') return formatNumber(value)
  if (Array.isArray(value)) return `[${value.map(print).join(' ')}]`
  if (value instanceof Fields) return `{${Object.values(value.toJSON()).map(print).join(' ')}}`
  if (isMap(value))
    return `map[${sortedKeys(value)
      .map((key) => `${key}:${print(value[key])}`)
      .join(' ')}]`
  return String(value)
}

/** Go's `%v` of numbers: integers plainly, others in the shortest form, with an exponent from 1e+21 and below 1e-4. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return BigInt(value).toString()
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
  const abs = Math.abs(value)
  return abs < 1e-4 || abs >= 1e21 ? exponent(value.toExponential()) : String(value)
}

/** JavaScript's exponent form in Go's spelling: at least two digits. */
export function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}

/** JSON as docker's `json` function writes it: no HTML escapes. */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value ?? null, (_, item) => (typeof item === 'bigint' ? `\0${item}\0` : item))
  return text.replace(/"\\u0000(-?\d+)\\u0000"/g, '$1')
}
