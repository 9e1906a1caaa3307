import { JubakoError } from '../errors/index.js'
import { type DiffId, parseDigest } from './digest.js'
import {
  type JsonObject,
  optionalString,
  optionalStrings,
  parseJsonObject,
  requireArray,
  requireObject,
  stringMap,
} from './json.js'
import { LIMITS } from './limits.js'
import { type Platform, parsePlatformObject } from './platform.js'

/** What an image asks of a container, in the specification's own spelling (image-spec, "Image Configuration"). */
export interface ContainerConfig {
  User?: string
  /** Keys like `80/tcp`. */
  ExposedPorts?: Record<string, unknown>
  /** `NAME=value`. */
  Env?: string[]
  Entrypoint?: string[]
  Cmd?: string[]
  /** Keys are paths in the container. */
  Volumes?: Record<string, unknown>
  WorkingDir?: string
  Labels?: Record<string, string>
  StopSignal?: string
  /** Seconds. Docker's extension. */
  StopTimeout?: number
  /** Docker's extension; durations in nanoseconds. */
  Healthcheck?: Healthcheck
  /** Docker's extension: the shell of the shell form. */
  Shell?: string[]
  /** Docker's extension: instructions for images built on this one. */
  OnBuild?: string[]
}

export interface Healthcheck {
  Test?: string[]
  Interval?: number
  Timeout?: number
  StartPeriod?: number
  StartInterval?: number
  Retries?: number
}

/** One step that made the image. */
export interface HistoryEntry {
  created?: string
  created_by?: string
  author?: string
  comment?: string
  empty_layer?: boolean
}

/** A parsed image configuration. `ImageId` is the digest of the bytes, not of this value. */
export interface ImageConfig {
  platform: Platform
  /** RFC 3339, as written. */
  created?: string
  author?: string
  config: ContainerConfig
  /** Lowest first. */
  diffIds: DiffId[]
  history: HistoryEntry[]
}

/**
 * Parses an image configuration. Unknown members are ignored, wrong types are refused.
 *
 * @throws JubakoError `ERR_JUBAKO_INTEGRITY` or `ERR_JUBAKO_LIMIT_EXCEEDED`
 */
export function parseImageConfig(bytes: Uint8Array, what: string): ImageConfig {
  const object = parseJsonObject(bytes, what, LIMITS.configBytes)
  const rootfs = requireObject(object.rootfs, `${what}: rootfs`)
  if (rootfs.type !== 'layers') throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: rootfs.type is not "layers"`)
  const diffIds = requireArray(rootfs.diff_ids ?? [], `${what}: rootfs.diff_ids`, LIMITS.layers)
  const created = optionalString(object, 'created', what)
  const author = optionalString(object, 'author', what)
  return {
    platform: parsePlatformObject(object, what),
    ...(created === undefined ? {} : { created }),
    ...(author === undefined ? {} : { author }),
    config: object.config == null ? {} : parseContainerConfig(object.config, `${what}: config`),
    diffIds: diffIds.map((id, i) => parseDigest(id, `${what}: rootfs.diff_ids[${i}]`) as DiffId),
    history: object.history == null ? [] : parseHistory(object.history, `${what}: history`),
  }
}

const STRINGS = ['User', 'WorkingDir', 'StopSignal'] as const
const STRING_LISTS = ['Env', 'Entrypoint', 'Shell', 'OnBuild'] as const
const KEY_SETS = ['ExposedPorts', 'Volumes'] as const

function parseContainerConfig(value: unknown, what: string): ContainerConfig {
  const object = requireObject(value, what)
  const config: ContainerConfig = {}
  for (const key of STRINGS) assign(config, key, optionalString(object, key, what) || undefined)
  for (const key of STRING_LISTS) assign(config, key, optionalStrings(object, key, what))
  for (const key of KEY_SETS) {
    if (object[key] != null) config[key] = requireObject(object[key], `${what}: ${key}`)
  }
  assign(config, 'Cmd', commandOf(object, what))
  if (object.Labels != null) config.Labels = stringMap(object.Labels, `${what}: Labels`)
  assign(config, 'StopTimeout', optionalInteger(object, 'StopTimeout', what))
  if (object.Healthcheck != null) config.Healthcheck = parseHealthcheck(object.Healthcheck, `${what}: Healthcheck`)
  return config
}

/** Old images have a command that is one string, meant as one argument. */
function commandOf(object: JsonObject, what: string): string[] | undefined {
  return typeof object.Cmd === 'string' ? [object.Cmd] : optionalStrings(object, 'Cmd', what)
}

const HEALTH_NUMBERS = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'] as const

function parseHealthcheck(value: unknown, what: string): Healthcheck {
  const object = requireObject(value, what)
  const check: Healthcheck = {}
  assign(check, 'Test', optionalStrings(object, 'Test', what))
  for (const key of HEALTH_NUMBERS) assign(check, key, optionalInteger(object, key, what))
  return check
}

function parseHistory(value: unknown, what: string): HistoryEntry[] {
  return requireArray(value, what, 20 * LIMITS.layers).map((item, i) => {
    const object = requireObject(item, `${what}[${i}]`)
    const entry: HistoryEntry = {}
    for (const key of ['created', 'created_by', 'author', 'comment'] as const) {
      assign(entry, key, optionalString(object, key, `${what}[${i}]`))
    }
    if (object.empty_layer === true) entry.empty_layer = true
    return entry
  })
}

function optionalInteger(object: JsonObject, key: string, what: string): number | undefined {
  const value = object[key]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && Number.isInteger(value)) return value
  throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${what}: ${key} is not a whole number`)
}

function assign<T extends object, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) target[key] = value
}
