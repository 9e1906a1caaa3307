import { didYouMean } from './suggest.js'

export type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh'

/** `RUN --mount=...` (Dockerfile reference, "RUN --mount"). */
export interface RunMount {
  type: MountType
  /** Stage, image or named context; undefined: the build context. */
  from?: string
  source?: string
  target?: string
  readonly: boolean
  /** Cache, secret and ssh: what it is found by. */
  id?: string
  sharing: 'shared' | 'private' | 'locked'
  required: boolean
  /** tmpfs: bytes. */
  size?: number
  mode?: number
  uid?: number
  gid?: number
  /** Secret: the variable that has its value. */
  env?: string
}

const TYPES: readonly MountType[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh']
const SHARING = ['shared', 'private', 'locked'] as const
const KEYS =
  'type from source target readonly id sharing required size mode uid gid src dst destination ro rw readwrite env'.split(
    ' ',
  )

/** Fields of a comma-separated value; quoted ones may have commas (RFC 4180). */
function csvFields(text: string): string[] {
  const fields: string[] = []
  let field = ''
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (quoted && c === '"' && text[i + 1] === '"') field += text[++i]
    else if (c === '"' && (quoted || field === '')) quoted = !quoted
    else if (c === ',' && !quoted) {
      fields.push(field)
      field = ''
    } else field += c
  }
  return [...fields, field]
}

/** `64m` and the like, in bytes. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/i.exec(text)
  if (match === null) return undefined
  return Math.floor(Number(match[1]) * 1024 ** ' kmgtp'.indexOf(match[2]!.toLowerCase() || ' '))
}

function bool(key: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true
  if (/^(0|f|false)$/i.test(value)) return false
  throw new Error(`invalid value for ${key}: ${value}`)
}

function number(key: string, value: string, base: number): number {
  const digits = base === 8 ? /^[0-7]+$/ : /^\d+$/
  if (!digits.test(value)) throw new Error(`invalid value ${value} for ${key}`)
  return Number.parseInt(value, base)
}

/**
 * @param expandWord expands variables; without it only what needs none is checked
 * @throws Error in BuildKit's words
 */
export function parseMount(text: string, expandWord: (word: string) => string): RunMount {
  const mount: RunMount = { type: 'bind', readonly: true, sharing: 'shared', required: false }
  let explicit: boolean | undefined
  let sharing: string | undefined
  for (const field of csvFields(text)) {
    const at = field.indexOf('=')
    const key = (at < 0 ? field : field.slice(0, at)).toLowerCase()
    const given = at < 0 ? undefined : expandWord(field.slice(at + 1))
    if (given === undefined && !/^(readonly|ro|readwrite|rw|required)$/.test(key)) {
      throw new Error(`invalid field '${field}' must be a key=value pair`)
    }
    const value = given ?? 'true'
    switch (key) {
      case 'type': {
        const type = value.toLowerCase() as MountType
        if (!TYPES.includes(type)) throw new Error(`unsupported mount type "${value}"${didYouMean(value, TYPES)}`)
        mount.type = type
        break
      }
      case 'from':
        mount.from = value
        break
      case 'source':
      case 'src':
        mount.source = value
        break
      case 'target':
      case 'dst':
      case 'destination':
        mount.target = value
        break
      case 'readonly':
      case 'ro':
        explicit = bool(key, value)
        break
      case 'readwrite':
      case 'rw':
        explicit = !bool(key, value)
        break
      case 'required':
        if (mount.type !== 'secret' && mount.type !== 'ssh') throw unexpected(key, mount)
        mount.required = bool(key, value)
        break
      case 'size': {
        if (mount.type !== 'tmpfs') throw unexpected(key, mount)
        const bytes = parseBytes(value)
        if (bytes === undefined) throw new Error(`invalid value for ${key}: ${value}`)
        mount.size = bytes
        break
      }
      case 'id':
        mount.id = value
        break
      case 'sharing':
        sharing = value.toLowerCase()
        if (!SHARING.includes(sharing as RunMount['sharing'])) {
          throw new Error(`unsupported sharing value "${value}"${didYouMean(value, SHARING)}`)
        }
        mount.sharing = sharing as RunMount['sharing']
        break
      case 'mode':
        mount.mode = number(key, value, 8)
        break
      case 'uid':
      case 'gid':
        mount[key] = number(key, value, 10)
        break
      case 'env':
        mount.env = value
        break
      default:
        throw new Error(`unexpected key '${key}' in '${field}'${didYouMean(key, KEYS)}`)
    }
  }
  mount.readonly = explicit ?? (mount.type !== 'cache' && mount.type !== 'tmpfs')
  check(mount, sharing)
  return mount
}

const unexpected = (key: string, { type }: RunMount) => new Error(`unexpected key '${key}' for mount type '${type}'`)

function check(mount: RunMount, sharing: string | undefined): void {
  const { type } = mount
  if (type === 'bind' || type === 'tmpfs') {
    for (const key of ['mode', 'uid', 'gid'] as const) {
      if (mount[key] !== undefined) throw new Error(`${key} not allowed for "${type}" type mounts`)
    }
  }
  if (type === 'secret') {
    if (mount.from !== undefined) throw new Error('secret mount should not have a from')
    if (sharing !== undefined) throw new Error('secret mount should not define sharing')
    if (!mount.source && !mount.target && !mount.id) {
      throw new Error('invalid secret mount. one of source, target required')
    }
    if (mount.source && mount.id) throw new Error("both source and id can't be set")
  }
  if (sharing !== undefined && type !== 'cache') throw new Error(`invalid cache sharing set for ${type} mount`)
  if (mount.env !== undefined && type !== 'secret') throw new Error(`unexpected key 'env' for mount type '${type}'`)
  if ((type === 'cache' || type === 'tmpfs' || type === 'bind') && !mount.target) {
    throw new Error(`invalid mount: target is required for a ${type} mount`)
  }
}
