import { invalidArgument } from '../errors/index.js'
import type { BindMount, TmpfsMount } from '../runtime/index.js'
import type { MountOption } from './types.js'

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']
const tmpfsFlags = new Set(['ro', 'rw', 'nosuid', 'suid', 'nodev', 'dev', 'noexec', 'exec'])
const tmpfsKeys = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol'])

/** `/a//b/../c/` as `/a/c`; stays below the root. */
function cleanTarget(target: string): string {
  if (!target.startsWith('/')) {
    throw invalidArgument(`invalid mount path: '${target}' mount path must be absolute`)
  }
  const parts: string[] = []
  for (const part of target.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  if (parts.length === 0) throw invalidArgument(`invalid specification: destination can't be '/'`)
  return `/${parts.join('/')}`
}

/** Places where a mount would turn the engine's own file systems against it (CVE-2019-16884). */
function checkTarget(target: string): void {
  if (target === '/proc' || target === '/sys' || target === '/dev') {
    throw invalidArgument(`'${target}' cannot be mounted over`, { hint: 'mount on a path below it, or elsewhere' })
  }
  if (target.startsWith('/proc/')) {
    throw invalidArgument(`"${target}" cannot be mounted because it is inside /proc`)
  }
}

function bindMount(option: MountOption, target: string): BindMount {
  const { source } = option
  if (source === undefined || !source.startsWith('/')) {
    throw invalidArgument(`invalid mount source '${source ?? ''}': must be an absolute path`)
  }
  const propagation = option.propagation ?? 'rprivate'
  if (!propagations.includes(propagation)) throw invalidArgument(`invalid propagation: ${propagation}`)
  return {
    type: 'bind',
    source,
    target,
    readonly: option.readonly ?? false,
    recursive: option.recursive ?? true,
    propagation,
    createSource: option.createSource ?? false,
  }
}

function tmpfsMount(option: MountOption, target: string): TmpfsMount {
  const flags = new Set(['nosuid', 'nodev', 'noexec'])
  const options: string[] = []
  for (const entry of option.options ?? []) {
    const [key, value] = entry.split('=', 2)
    if (tmpfsFlags.has(entry)) {
      if (entry === 'rw') flags.delete('ro')
      else if (entry === 'ro' || entry.startsWith('no')) flags.add(entry)
      else flags.delete(`no${entry}`)
    } else if (value !== undefined && tmpfsKeys.has(key!)) {
      options.push(entry)
    } else {
      throw invalidArgument(`invalid tmpfs option "${entry}"`, {
        hint: 'known are size, mode, uid, gid, nr_inodes, nr_blocks and the flags ro, rw, exec, noexec, suid, nosuid, dev, nodev',
      })
    }
  }
  if (option.size !== undefined) options.push(`size=${option.size}`)
  if (option.mode !== undefined) options.push(`mode=${option.mode.toString(8)}`)
  return { type: 'tmpfs', target, readonly: option.readonly ?? false, options, flags: [...flags] }
}

/**
 * Checks mounts and fills in defaults.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT
 */
export function mergeMounts(mounts: readonly MountOption[]): (BindMount | TmpfsMount)[] {
  const seen = new Set<string>()
  return mounts.map((option) => {
    const target = cleanTarget(option.target)
    checkTarget(target)
    if (seen.has(target)) throw invalidArgument(`Duplicate mount point: ${target}`)
    seen.add(target)
    return option.type === 'bind' ? bindMount(option, target) : tmpfsMount(option, target)
  })
}
