import { resolve } from 'node:path'
import type { MountOption } from '../../engine/types.js'
import { parseBytes } from './bytes.js'
import { parseCsvLine } from './csv.js'
import { parseIdMap } from './idmap.js'
import { PROPAGATION } from './volume.js'

/** What the keys have set so far. */
interface Draft {
  type: string
  source?: string
  target?: string
  readonly?: boolean
  /** Keys used that belong to one type only. */
  bind: Partial<MountOption>
  tmpfs: Partial<MountOption>
  volume: Partial<MountOption>
  image: Partial<MountOption>
  idmap?: MountOption['idmap']
  /** The word of bind-recursive, when it is about read-only. */
  recursive?: string
}

type Setter = (draft: Draft, value: string | undefined, key: string) => void

const setters: Record<string, Setter> = {
  type: (draft, value, key) => {
    draft.type = required(value, key).toLowerCase()
  },
  source: (draft, value, key) => {
    draft.source = required(value, key)
  },
  target: (draft, value, key) => {
    draft.target = required(value, key)
  },
  readonly: (draft, value, key) => {
    draft.readonly = bool(value, key)
  },
  consistency: () => {},
  'bind-propagation': (draft, value, key) => {
    const word = required(value, key).toLowerCase()
    if (!PROPAGATION.has(word))
      throw new Error(`invalid propagation: '${word}' (one of ${[...PROPAGATION].join(', ')})`)
    draft.bind.propagation = word as NonNullable<MountOption['propagation']>
  },
  'bind-nonrecursive': (draft, value, key) => {
    draft.bind.recursive = !bool(value, key)
  },
  'bind-recursive': (draft, value, key) => {
    const word = required(value, key)
    if (!['enabled', 'disabled', 'writable', 'readonly'].includes(word)) {
      throw new Error(`invalid value for ${key}: ${word} (must be "enabled", "disabled", "writable", or "readonly")`)
    }
    draft.recursive = word
    if (word === 'disabled') draft.bind.recursive = false
    else if (word === 'writable') draft.bind.recursiveReadonly = false
    else if (word === 'readonly') draft.bind.recursiveReadonly = true
  },
  idmap: (draft, value) => {
    draft.idmap = parseIdMap(value ?? '')
  },
  'volume-nocopy': (draft, value, key) => {
    draft.volume.nocopy = bool(value, key)
  },
  'volume-subpath': (draft, value, key) => {
    draft.volume.subpath = required(value, key)
  },
  'volume-driver': (draft, value, key) => {
    draft.volume.driver = required(value, key)
  },
  'volume-label': (draft, value, key) => {
    draft.volume.labels ??= {}
    addPair(draft.volume.labels, required(value, key))
  },
  'volume-opt': (draft, value, key) => {
    draft.volume.driverOptions ??= {}
    addPair(draft.volume.driverOptions, required(value, key))
  },
  'image-subpath': (draft, value, key) => {
    draft.image.subpath = required(value, key)
  },
  'tmpfs-size': (draft, value, key) => {
    draft.tmpfs.size = parseBytes(required(value, key))
  },
  'tmpfs-mode': (draft, value, key) => {
    if (!/^[0-7]+$/.test(required(value, key))) throw new Error(`invalid value for ${key}: ${value} (an octal mode)`)
    draft.tmpfs.mode = Number.parseInt(value as string, 8)
  },
}
const ALIASES: Record<string, string> = { src: 'source', dst: 'target', destination: 'target', ro: 'readonly' }
const GROUPS = ['bind', 'volume', 'image', 'tmpfs'] as const

function addPair(to: Record<string, string>, text: string): void {
  const equals = text.indexOf('=')
  Object.defineProperty(to, equals < 0 ? text : text.slice(0, equals), {
    value: equals < 0 ? '' : text.slice(equals + 1),
    enumerable: true,
    configurable: true,
    writable: true,
  })
}

/**
 * One `--mount`: comma separated `key=value` fields in CSV, `type=volume` if there is none. A relative bind source is made
 * absolute; a missing one is an error.
 *
 * @param cwd directory of the client
 */
export function parseMount(text: string, cwd: string): MountOption {
  const draft: Draft = { type: 'volume', bind: {}, tmpfs: {}, volume: {}, image: {} }
  for (const field of parseCsvLine(text)) {
    const equals = field.indexOf('=')
    const given = (equals < 0 ? field : field.slice(0, equals)).toLowerCase()
    const key = ALIASES[given] ?? given
    const set = Object.hasOwn(setters, key) ? setters[key] : undefined
    if (set === undefined) throw new Error(`unexpected key '${given}' in '${field}'`)
    set(draft, equals < 0 ? undefined : field.slice(equals + 1), given)
  }
  return finish(draft, cwd)
}

function finish(draft: Draft, cwd: string): MountOption {
  const { type, source, target, readonly, bind, idmap } = draft
  if (target === undefined) throw new Error('target is required')
  for (const group of GROUPS) {
    if (
      group !== type &&
      (Object.keys(draft[group]).length > 0 || (group === 'bind' && draft.recursive !== undefined))
    ) {
      throw new Error(`cannot mix '${group}-*' options with mount type '${type}'`)
    }
  }
  if (!isMountType(type)) throw new Error(`invalid mount config for type "${type}": mount type unknown`)
  if (draft.recursive === 'writable' && !readonly) {
    throw new Error(`option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction`)
  }
  if (draft.recursive === 'readonly') {
    const conjunction = (what: string) =>
      new Error(`option 'bind-recursive=readonly' requires '${what}' to be specified in conjunction`)
    if (!readonly) throw conjunction('readonly')
    if (bind.propagation !== 'rprivate') throw conjunction('bind-propagation=rprivate')
  }
  const invalid = (text: string) => new Error(`invalid mount config for type "${type}": ${text}`)
  if (!target.startsWith('/')) throw invalid(`invalid mount path: '${target}' mount path must be absolute`)
  if (type === 'bind' && source === undefined) throw invalid('field Source must not be empty')
  if (type === 'image' && source === undefined) throw invalid('field Source must not be empty')
  if (type === 'tmpfs' && source !== undefined) throw invalid('field Source must not be specified')
  if (idmap !== undefined && type !== 'bind' && type !== 'volume') throw invalid('idmap is for binds and volumes')
  return {
    type,
    target,
    ...(source === undefined ? {} : { source: type === 'bind' ? resolve(cwd, source) : source }),
    ...(readonly === undefined ? {} : { readonly }),
    ...(idmap === undefined ? {} : { idmap }),
    ...draft[type],
  }
}

const isMountType = (type: string): type is MountOption['type'] => (GROUPS as readonly string[]).includes(type)

function required(value: string | undefined, key: string): string {
  if (value === undefined) throw new Error(`invalid field '${key}' must be a key=value pair`)
  if (value === '') throw new Error(`invalid value for '${key}': value is empty`)
  return value
}

function bool(value: string | undefined, key: string): boolean {
  if (value === undefined || /^(1|t|true)$/i.test(value)) return true
  if (/^(0|f|false)$/i.test(value)) return false
  throw new Error(`invalid value for ${key}: '${value}' (true or false)`)
}
