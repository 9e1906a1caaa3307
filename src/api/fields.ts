import { badRequest } from './errors.js'

const kindOf = (value: unknown): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value

/**
 * An object of a request's JSON body. Names are found whatever their case, null counts as absent, unknown names are
 * ignored, and a value of a wrong type is an error that names its field: all as dockerd does it.
 */
export class Fields {
  readonly #values = new Map<string, unknown>()

  /** @param struct what the object is called in errors */
  constructor(
    value: unknown,
    private readonly struct: string,
  ) {
    if (value === null || value === undefined) return
    if (typeof value !== 'object' || Array.isArray(value)) throw mismatch(value, `value`, struct)
    for (const [name, it] of Object.entries(value)) if (it !== null) this.#values.set(name.toLowerCase(), it)
  }

  raw(name: string): unknown {
    return this.#values.get(name.toLowerCase())
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase())
  }

  string(name: string): string | undefined {
    return this.#typed(name, 'string', (it): it is string => typeof it === 'string')
  }

  bool(name: string): boolean | undefined {
    return this.#typed(name, 'bool', (it): it is boolean => typeof it === 'boolean')
  }

  int(name: string): number | undefined {
    return this.#typed(name, 'int64', (it): it is number => typeof it === 'number' && Number.isInteger(it))
  }

  strings(name: string): string[] | undefined {
    return this.#typed(name, '[]string', isStrings)
  }

  /** A list of words, or one of them as it is. */
  words(name: string): string[] | undefined {
    const value = this.raw(name)
    return typeof value === 'string' ? [value] : this.strings(name)
  }

  ints(name: string): number[] | undefined {
    return this.#typed(
      name,
      '[]int',
      (it): it is number[] => Array.isArray(it) && it.every((one) => Number.isInteger(one)),
    )
  }

  map(name: string): Record<string, string> | undefined {
    return this.#typed(
      name,
      'map[string]string',
      (it): it is Record<string, string> => isObject(it) && Object.values(it).every((one) => typeof one === 'string'),
    )
  }

  /** The names of a map whose values mean nothing: `{"80/tcp": {}}`. */
  keys(name: string): string[] | undefined {
    const value = this.#typed(name, 'map[string]struct {}', isObject)
    return value === undefined ? undefined : Object.keys(value)
  }

  /** The values of a map, each an object. */
  entries(name: string): [name: string, fields: Fields][] {
    const value = this.#typed(name, 'map', isObject) ?? {}
    return Object.entries(value).map(([key, it]) => [key, new Fields(it, name)])
  }

  /** The raw values of a map of lists. */
  lists(name: string): [name: string, list: Fields[]][] {
    const value = this.#typed(name, 'map', isObject) ?? {}
    return Object.entries(value).map(([key, it]) => {
      if (it !== null && !Array.isArray(it)) throw mismatch(it, '[]', `${this.struct}.${name}`)
      return [key, ((it ?? []) as unknown[]).map((one) => new Fields(one, name))]
    })
  }

  fields(name: string): Fields {
    return new Fields(this.raw(name), name)
  }

  list(name: string): Fields[] {
    const value = this.#typed(name, `[]${name}`, Array.isArray) ?? []
    return (value as unknown[]).map((it) => new Fields(it, name))
  }

  #typed<T>(name: string, type: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    if (is(value)) return value
    throw mismatch(value, type, `${this.struct}.${name}`)
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((it) => typeof it === 'string')

function mismatch(value: unknown, type: string, where: string) {
  return badRequest(
    `invalid JSON: json: cannot unmarshal ${kindOf(value)} into Go struct field ${where} of type ${type}`,
  )
}
