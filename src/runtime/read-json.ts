import { readText } from '../native/index.js'

/** What a record of the engine's own says; undefined when it is not there, or a crash left it unreadable. */
export function readJson<T>(path: string): T | undefined {
  const text = readText(path)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as T
  } catch {
    return undefined
  }
}
