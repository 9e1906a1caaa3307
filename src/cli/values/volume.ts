import { resolve } from 'node:path'
import type { MountOption } from '../../engine/types.js'
import { parseIdMap } from './idmap.js'

type Propagation = NonNullable<MountOption['propagation']>

/** Mount propagation words of `--volume` and `--mount`. */
export const PROPAGATION: ReadonlySet<string> = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'])

/** Words that mean nothing on Linux without SELinux, by kind: each kind may occur once. */
const IGNORED: Readonly<Record<string, string>> = {
  z: 'label',
  Z: 'label',
  cached: 'consistency',
  delegated: 'consistency',
  consistent: 'consistency',
  default: 'consistency',
}

/**
 * One `--volume`: `target` makes an anonymous volume, `name:target[:option,...]` mounts a named one, and
 * `source:target[:option,...]` a directory or file of the host, where the source starts with `/` or `.`; it is made
 * absolute, and created if it is missing.
 *
 * @param cwd directory of the client
 */
export function parseVolume(text: string, cwd: string): MountOption {
  const parts = text.split(':') as [string, string?, string?, ...string[]]
  if (parts.includes('')) {
    throw new Error(`invalid spec: ${text}: empty section between colons`)
  }
  const [first, second, mode, ...more] = parts
  if (first === '' || more.length > 0) throw new Error(`invalid volume specification: '${text}'`)
  const target = second ?? first
  const bind = second !== undefined && /^[./]/.test(first)
  if (!target.startsWith('/')) {
    const type = bind ? 'bind' : 'volume'
    throw new Error(
      `invalid volume specification: '${text}': invalid mount config for type "${type}": invalid mount path: '${target}' mount path must be absolute`,
    )
  }
  if (resolve(target) === '/') {
    throw new Error(`invalid volume specification: '${text}': invalid specification: destination can't be '/'`)
  }
  const mount: MountOption = bind
    ? { type: 'bind', source: resolve(cwd, first), target, createSource: true, text }
    : { type: 'volume', ...(second !== undefined && { source: first }), target, text }
  const seen = new Set<string>()
  for (const word of mode === undefined ? [] : mode.split(',')) {
    const kind = applyWord(mount, word)
    if (kind === undefined || seen.has(kind)) throw new Error(`invalid mode: ${mode}`)
    seen.add(kind)
  }
  const foreign = bind ? mount.nocopy && 'VolumeOptions' : mount.propagation && 'BindOptions'
  if (foreign) {
    throw new Error(
      `invalid volume specification: '${text}': invalid mount config for type "${mount.type}": field ${foreign} must not be specified`,
    )
  }
  return mount
}

/** Applies one option and returns its kind (each may occur once), or undefined for an unknown one. */
function applyWord(mount: MountOption, word: string): string | undefined {
  if (word === 'ro' || word === 'rw') {
    mount.readonly = word === 'ro'
    return 'access'
  }
  if (PROPAGATION.has(word)) {
    mount.propagation = word as Propagation
    return 'propagation'
  }
  if (word === 'nocopy') {
    mount.nocopy = true
    return 'copy'
  }
  if (word === 'idmap' || word.startsWith('idmap=')) {
    mount.idmap = parseIdMap(word.slice('idmap='.length))
    return 'idmap'
  }
  return Object.hasOwn(IGNORED, word) ? IGNORED[word] : undefined
}
