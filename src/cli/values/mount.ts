import { resolve } from 'node:path'
import type { MountOption } from '../../engine/types.js'
import { parseBytes } from './bytes.js'
import { parseCsvLine } from './csv.js'
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
    if (word !== 'enabled' && word !== 'disabled') {
      throw new Error(`bind-recursive=${word} is not available yet (use enabled or disabled)`)
    }
    draft.bind.recursive = word === 'enabled'
  },
  'tmpfs-size': (draft, value, key) => {
    draft.tmpfs.size = parseBytes(required(value, key))
  },
  'tmpfs-mode': (draft, value, key) => {
    if (!/^[0-7]+$/.test(required(value, key))) throw new Error(`invalid value for ${key}: '${value}' (an octal mode)`)
    draft.tmpfs.mode = Number.parseInt(value as string, 8)
  },
}
const ALIASES: Record<string, string> = { src: 'source', dst: 'target', destination: 'target', ro: 'readonly' }
const LATER = /^(volume-|image-)/

/**
 * One `--mount`: comma separated `key=value` fields in CSV. `type=bind` and `type=tmpfs`; a relative bind source is made
 * absolute, a missing one is an error when the container starts.
 *
 * @param cwd directory of the client
 */
export function parseMount(text: string, cwd: string): MountOption {
  const draft: Draft = { type: 'volume', bind: {}, tmpfs: {} }
  for (const field of parseCsvLine(text)) {
    const equals = field.indexOf('=')
    const given = (equals < 0 ? field : field.slice(0, equals)).toLowerCase()
    const key = ALIASES[given] ?? given
    if (LATER.test(key)) throw new Error(`'${key}' is not available yet`)
    const set = Object.hasOwn(setters, key) ? setters[key] : undefined
    if (set === undefined) throw new Error(`unexpected key '${given}' in '${field}'`)
    set(draft, equals < 0 ? undefined : field.slice(equals + 1), given)
  }
  return finish(draft, cwd)
}

function finish(draft: Draft, cwd: string): MountOption {
  const { type, source, target, readonly, bind, tmpfs } = draft
  if (type === 'volume' || type === 'image')
    throw new Error(`mounts of type ${type} are not available yet (use type=bind or type=tmpfs)`)
  if (type !== 'bind' && type !== 'tmpfs') throw new Error(`invalid mount type '${type}' (use bind or tmpfs)`)
  if (target === undefined) throw new Error('target is required')
  if (!target.startsWith('/')) throw new Error(`invalid mount path: '${target}' must be absolute`)
  const foreign = Object.keys(type === 'bind' ? tmpfs : bind)[0]
  if (foreign !== undefined)
    throw new Error(`cannot mix '${type === 'bind' ? 'tmpfs' : 'bind'}-*' options with mount type '${type}'`)
  if (type === 'bind' && source === undefined) throw new Error('source is required for a bind mount')
  if (type === 'tmpfs' && source !== undefined) throw new Error('a tmpfs mount has no source')
  return {
    type,
    target,
    ...(source === undefined ? {} : { source: resolve(cwd, source) }),
    ...(readonly === undefined ? {} : { readonly }),
    ...bind,
    ...tmpfs,
  }
}

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
