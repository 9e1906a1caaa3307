import { JubakoError } from '../errors/index.js'

export type JsonObject = { [key: string]: unknown }

/**
 * Parses an untrusted JSON document that must be an object.
 *
 * @param limitBytes refused above this size, before parsing
 * @throws JubakoError `ERR_JUBAKO_LIMIT_EXCEEDED` or `ERR_JUBAKO_INTEGRITY`
 */
export function parseJsonObject(bytes: Uint8Array, what: string, limitBytes: number): JsonObject {
  if (bytes.byteLength > limitBytes) {
    throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `${what} is larger than ${limitBytes} bytes`)
  }
  if (isNestedTooDeeply(bytes)) throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `${what} is nested too deeply`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what} is not valid JSON`, { cause })
  }
  return requireObject(value, what)
}

export function requireObject(value: unknown, what: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what} is not a JSON object`)
}

export function requireArray(value: unknown, what: string, limit: number): unknown[] {
  if (!Array.isArray(value)) throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what} is not a JSON array`)
  if (value.length > limit) throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `${what} has more than ${limit} entries`)
  return value
}

/** A string member; null and absent are undefined (Go writes both). */
export function optionalString(object: JsonObject, key: string, what: string): string | undefined {
  const value = object[key]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: ${key} is not a string`)
  return value
}

/** An array of strings; null and absent are undefined. */
export function optionalStrings(object: JsonObject, key: string, what: string): string[] | undefined {
  const value = object[key]
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: ${key} is not an array of strings`)
}

export function stringMap(value: unknown, what: string): Record<string, string> {
  const object = requireObject(value, what)
  for (const [key, item] of Object.entries(object)) {
    if (typeof item !== 'string') {
      throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: ${key} is not a string`)
    }
  }
  return object as Record<string, string>
}

const MAX_NESTING = 200

/** Parsing takes far longer for each level of nesting than for any other byte. */
function isNestedTooDeeply(bytes: Uint8Array): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (inString) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) inString = false
    } else if (byte === 0x22) inString = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_NESTING) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}
