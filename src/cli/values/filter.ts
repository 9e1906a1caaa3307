/** One `--filter name=value`. */
export interface Filter {
  name: string
  value: string
  /** `name!=value`: the rows that do not match. */
  negated: boolean
}

/** The values of each name, as the engine takes them. */
export function filterLists(filters: readonly Filter[]): Record<string, string[]> {
  const lists: Record<string, string[]> = {}
  for (const { name, value, negated } of filters) {
    const key = negated ? `${name}!` : name
    lists[key] = [...(lists[key] ?? []), value]
  }
  return lists
}

/** Parses `name=value`, or `name!=value` where the filter allows it (`label!=x`). */
export function parseFilter(text: string): Filter {
  const equals = text.indexOf('=')
  if (equals < 0) throw new Error('bad format of filter (expected name=value)')
  const key = text.slice(0, equals)
  const negated = key.endsWith('!')
  return {
    name: key
      .slice(0, negated ? -1 : undefined)
      .trim()
      .toLowerCase(),
    value: text.slice(equals + 1).trim(),
    negated,
  }
}
