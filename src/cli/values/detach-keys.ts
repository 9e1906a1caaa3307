const NAMED: Record<string, number> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 }

/** docker's default: ctrl-p ctrl-q. */
export const DEFAULT_DETACH_KEYS: readonly number[] = [16, 17]

/** `--detach-keys`: comma separated single characters or `ctrl-<a-z, @, [, \, ], ^, _>`. Returns the bytes; empty: none. */
export function parseDetachKeys(text: string): number[] {
  if (text === '') return []
  return text.split(',').map((key) => {
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0)
    const control = /^ctrl-(.)$/.exec(key)?.[1]
    if (control !== undefined && /[a-z]/.test(control)) return control.charCodeAt(0) - 96
    const named = control === undefined ? undefined : NAMED[control]
    if (named === undefined) {
      throw new Error(`invalid detach keys (${text}): unknown key '${key}' (a character or ctrl-<letter>)`)
    }
    return named
  })
}
