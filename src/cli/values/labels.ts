/** One `--label`, `--annotation` or `--log-opt`: `key=value`; without `=` the value is empty. */
export function parseLabel(text: string): [key: string, value: string] {
  const equals = text.indexOf('=')
  const key = equals < 0 ? text : text.slice(0, equals)
  if (key === '') throw new Error(`invalid label '${text}': empty name`)
  return [key, equals < 0 ? '' : text.slice(equals + 1)]
}

/** As {@link parseLabel}, but the `=` is required. */
export function parsePair(text: string): [key: string, value: string] {
  if (!text.includes('=')) throw new Error(`'${text}' must be a key=value pair`)
  return parseLabel(text)
}
