import { readFileSync } from 'node:fs'

const KEYS = new Set(['apparmor', 'label', 'no-new-privileges', 'seccomp', 'systempaths', 'writable-cgroups'])

/**
 * One `--security-opt`: `key=value` (or the older `key:value`), or `no-new-privileges`. The file of `seccomp=FILE` is
 * read here, where its path means something; the engine gets its JSON text.
 */
export function parseSecurityOpt(text: string): string {
  const at = text.search(/[=:]/)
  const key = at < 0 ? text : text.slice(0, at)
  if (!KEYS.has(key) || (at < 0 && key !== 'no-new-privileges')) throw new Error(`invalid security option: '${text}'`)
  if (at < 0) return key
  const value = text.slice(at + 1)
  if (key !== 'seccomp' || value === 'unconfined' || value === 'builtin') return `${key}=${value}`
  return `seccomp=${readProfile(value)}`
}

function readProfile(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`opening seccomp profile (${path}) failed: ${(error as Error).message}`)
  }
  try {
    return JSON.stringify(JSON.parse(text))
  } catch (error) {
    throw new Error(`seccomp profile (${path}) is not JSON: ${(error as Error).message}`)
  }
}
