import { ApiError, badRequest } from './errors.js'

const FALSE = new Set(['', '0', 'no', 'false', 'none'])

/** Values of a request's query, read as dockerd reads them. */
export class Query {
  constructor(private readonly values: URLSearchParams) {}

  has(name: string): boolean {
    return this.values.has(name)
  }

  /** Empty when it is absent. */
  text(name: string): string {
    return this.values.get(name) ?? ''
  }

  /** Undefined when it is absent or empty. */
  given(name: string): string | undefined {
    return this.text(name) === '' ? undefined : this.text(name)
  }

  all(name: string): string[] {
    return this.values.getAll(name)
  }

  bool(name: string, absent = false): boolean {
    const value = this.values.get(name)
    return value === null ? absent : !FALSE.has(value.trim().toLowerCase())
  }

  /** @throws ApiError 400 */
  int(name: string): number | undefined {
    const value = this.given(name)
    if (value === undefined) return undefined
    if (!/^[+-]?\d{1,15}$/.test(value)) throw badRequest(`strconv.Atoi: parsing "${value}": invalid syntax`)
    return Number(value)
  }

  /**
   * Seconds since the epoch with a fraction, as milliseconds. Undefined when it is absent, empty or 0.
   *
   * @throws ApiError 400
   */
  time(name: string): number | undefined {
    const value = this.given(name)
    if (value === undefined) return undefined
    const ms = /^-?\d+(\.\d{1,9})?$/.test(value) ? Number(value) * 1000 : Date.parse(value)
    if (Number.isNaN(ms))
      throw badRequest(`invalid value for "${name}": failed to parse value as time or duration: "${value}"`)
    return ms === 0 ? undefined : ms
  }

  /**
   * The JSON of `filters`, in both of its forms: `{"k":["v"]}` and `{"k":{"v":true}}`.
   *
   * @throws ApiError 400, also for a name that is not known
   */
  filters(known: readonly string[]): Filters {
    const text = this.given('filters')
    const out = new Map<string, string[]>()
    if (text === undefined) return new Filters(out)
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      throw badRequest('invalid filter')
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw badRequest('invalid filter')
    for (const [name, given] of Object.entries(value)) {
      if (!known.includes(name)) throw badRequest(`invalid filter '${name}'`)
      out.set(name, filterValues(given))
    }
    return new Filters(out)
  }
}

function filterValues(given: unknown): string[] {
  if (Array.isArray(given) && given.every((it) => typeof it === 'string')) return given as string[]
  if (given === null || typeof given !== 'object' || Array.isArray(given)) throw badRequest('invalid filter')
  return Object.entries(given).map(([value, on]) => {
    if (typeof on !== 'boolean') throw badRequest('invalid filter')
    return value
  })
}

/** Name -> values. A name without values filters nothing. */
export class Filters {
  constructor(private readonly values: ReadonlyMap<string, readonly string[]>) {}

  get(name: string): readonly string[] {
    return this.values.get(name) ?? []
  }

  has(name: string): boolean {
    return this.get(name).length > 0
  }

  names(): string[] {
    return [...this.values.keys()].filter((name) => this.has(name))
  }

  /** Every value as `[name, value]`. */
  pairs(): [name: string, value: string][] {
    return [...this.values].flatMap(([name, values]) => values.map((value): [string, string] => [name, value]))
  }

  /** Of a filter that is true or false; undefined without it. */
  flag(name: string): boolean | undefined {
    const [value] = this.get(name)
    if (value === undefined) return undefined
    if (['1', 'true'].includes(value)) return true
    if (['0', 'false'].includes(value)) return false
    throw new ApiError(400, `invalid filter '${name}=[${value}]'`)
  }

  /** All label filters (`key` or `key=value`) hold. */
  labels(labels: Readonly<Record<string, string>>, name = 'label'): boolean {
    return this.get(name).every((filter) => hasLabel(labels, filter))
  }
}

export function hasLabel(labels: Readonly<Record<string, string>>, filter: string): boolean {
  const at = filter.indexOf('=')
  const key = at < 0 ? filter : filter.slice(0, at)
  return Object.hasOwn(labels, key) && (at < 0 || labels[key] === filter.slice(at + 1))
}
