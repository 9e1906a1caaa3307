/** Looks up a variable of the client's environment. */
export type Lookup = (name: string) => string | undefined

/** One `--env`: `NAME=value`, or `NAME` for the client's own value. A name the client does not have is unset in the container. */
export function parseEnv(text: string, lookup: Lookup): [name: string, value: string | undefined] {
  const equals = text.indexOf('=')
  const name = equals < 0 ? text : text.slice(0, equals)
  if (name === '') throw new Error(`invalid environment variable: ${text}`)
  return [name, equals < 0 ? lookup(name) : text.slice(equals + 1)]
}

/**
 * The lines of an `--env-file` or `--label-file`: `NAME=value` (the value as it stands, no quoting), or `NAME`. Leading
 * white space and lines that start with `#` are skipped.
 *
 * @param file name for messages
 * @param bare value of a line without `=`; undefined drops the line
 */
export function parseKeyValueFile(content: Uint8Array, file: string, bare: Lookup): [string, string][] {
  const pairs: [string, string][] = []
  for (const [index, line] of decode(content, file).split('\n').entries()) {
    const trimmed = line.replace(/\r$/, '').trimStart()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const equals = trimmed.indexOf('=')
    const name = equals < 0 ? trimmed : trimmed.slice(0, equals)
    const where = `${file}:${index + 1}`
    if (name === '') throw new Error(`${where}: no variable name on line '${trimmed}'`)
    if (/[ \t]/.test(name)) throw new Error(`${where}: variable '${name}' contains whitespaces`)
    const value = equals < 0 ? bare(name) : trimmed.slice(equals + 1)
    if (value !== undefined) pairs.push([name, value])
  }
  return pairs
}

function decode(content: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    throw new Error(`${file}: not valid UTF-8`)
  }
}
