import { resolve } from 'node:path'
import type { MountOption } from '../../engine/types.js'

type Propagation = NonNullable<MountOption['propagation']>

/** Mount propagation words of `--volume` and `--mount`. */
export const PROPAGATION: ReadonlySet<string> = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'])

/** Words that docker accepts and that mean nothing on Linux without SELinux. */
const IGNORED = new Set(['z', 'Z', 'cached', 'delegated', 'consistent', 'default'])

/**
 * One `--volume`: `source:target[:option,...]`. A relative source starts with `.` and is made absolute; a missing source
 * directory is created.
 *
 * @param cwd directory of the client
 */
export function parseVolume(text: string, cwd: string): MountOption {
  const [source, target, mode, ...more] = text.split(':') as [string, string?, string?, ...string[]]
  if (source === '' || more.length > 0) throw new Error(`invalid volume specification: '${text}'`)
  if (target === undefined) throw new Error(`anonymous volumes are not available yet: '${text}'`)
  if (!target.startsWith('/')) throw new Error(`invalid mount path: '${target}' must be absolute`)
  if (resolve(target) === '/') throw new Error(`invalid volume specification: '${text}': destination can't be '/'`)
  if (!/^[./]/.test(source))
    throw new Error(`named volumes are not available yet: '${source}' (a directory starts with / or ./)`)
  const mount: MountOption = { type: 'bind', source: resolve(cwd, source), target, createSource: true }
  const seen = new Set<string>()
  for (const word of mode === undefined ? [] : mode.split(',')) {
    const kind = applyWord(mount, word)
    if (kind === undefined || seen.has(kind)) throw new Error(`invalid mode: ${mode}`)
    seen.add(kind)
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
  if (word === 'nocopy') return 'copy'
  return IGNORED.has(word) ? `ignored ${word.toLowerCase()}` : undefined
}
