import { existsSync } from 'node:fs'
import { invalidArgument } from '../errors/index.js'
import { type BindMount, checkVolumeName, type IdMap, type TmpfsMount, type VolumeMount } from '../runtime/index.js'
import type { IdRange, MountOption } from './volume-types.js'

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
  if (source === undefined || source === '') {
    throw invalidArgument(`invalid mount config for type "bind": field Source must not be empty`)
  }
  if (!source.startsWith('/')) {
    throw invalidArgument(
      `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`,
    )
  }
  if (!(option.createSource ?? false) && !existsSync(source)) {
    throw invalidArgument(`invalid mount config for type "bind": bind source path does not exist: ${source}`, {
      hint: 'create it first, or use -v, which creates a directory',
    })
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
    ...(option.recursiveReadonly !== undefined && { recursiveReadonly: option.recursiveReadonly }),
    ...idMap(option),
    origin: { ...(option.text !== undefined && { text: option.text }), mode: option.text?.split(':')[2] ?? '' },
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
  const text = option.text === undefined ? {} : { text: option.text }
  return { type: 'tmpfs', target, readonly: option.readonly ?? false, options, flags: [...flags], ...text }
}

/** A volume that has no directory yet: the engine makes it. */
export type VolumeDraft = Omit<VolumeMount, 'name'> & { name: string | undefined; option: MountOption }

/** Docker's rule: a subpath stays inside. */
function subpathOf(option: MountOption): string {
  const { subpath = '' } = option
  if (subpath.startsWith('/')) {
    throw invalidArgument(`invalid mount config for type "${option.type}": subpath must be a relative path`)
  }
  if (subpath.includes('\0') || subpath.split('/').includes('..')) {
    throw invalidArgument(
      `invalid mount config for type "${option.type}": subpath must be a relative path within the volume`,
    )
  }
  return subpath
}

const idLines = (ranges: readonly IdRange[]): string =>
  ranges
    .map(({ id, as, count }) => {
      for (const number of [id, as, count]) {
        if (!Number.isInteger(number) || number < 0 || number > 0xffffffff)
          throw invalidArgument(`invalid idmap: ${number}`)
      }
      return `${id} ${as} ${count}\n`
    })
    .join('')

function idMap(option: MountOption): { ids?: IdMap } {
  const { idmap } = option
  if (idmap === undefined || (idmap.uids.length === 0 && idmap.gids.length === 0)) return {}
  const all = [{ id: 0, as: 0, count: 0xffffffff }]
  return {
    ids: {
      uids: idLines(idmap.uids.length === 0 ? all : idmap.uids),
      gids: idLines(idmap.gids.length === 0 ? all : idmap.gids),
    },
  }
}

function volumeMount(option: MountOption, target: string): VolumeDraft {
  const { source: name } = option
  const anonymous = name === undefined || name === ''
  if (!anonymous) checkVolumeName(name)
  if (option.propagation !== undefined) {
    throw invalidArgument(`invalid mount config for type "volume": field BindOptions must not be specified`)
  }
  const mode = option.text?.split(':')[2] ?? (anonymous ? '' : 'z')
  return {
    type: 'volume',
    name: anonymous ? undefined : name,
    anonymous,
    target,
    readonly: option.readonly ?? false,
    copy: !(option.nocopy ?? false),
    subpath: subpathOf(option),
    ...idMap(option),
    origin: { ...(option.text !== undefined && { text: option.text }), mode },
    option,
  }
}

export type MountDraft = BindMount | TmpfsMount | VolumeDraft | { type: 'image'; target: string; option: MountOption }

function draft(option: MountOption): MountDraft {
  const target = cleanTarget(option.target)
  checkTarget(target)
  if (option.type === 'bind') return bindMount(option, target)
  if (option.type === 'tmpfs') return tmpfsMount(option, target)
  if (option.type === 'volume') return volumeMount(option, target)
  if (option.type === 'image') {
    subpathOf(option)
    return { type: 'image', target, option }
  }
  throw invalidArgument(`invalid mount config for type "${String(option.type)}": mount type unknown`)
}

/**
 * Checks mounts and fills in defaults. The volumes an image asks for stand where nothing else is mounted.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT
 */
export function mergeMounts(options: readonly MountOption[], imageVolumes: readonly string[] = []): MountDraft[] {
  const byTarget = new Map<string, MountDraft>()
  for (const option of options) {
    const it = draft(option)
    if (byTarget.has(it.target)) throw invalidArgument(`Duplicate mount point: ${it.target}`)
    byTarget.set(it.target, it)
  }
  for (const path of imageVolumes) {
    const it = draft({ type: 'volume', target: path })
    if (byTarget.has(it.target)) continue
    byTarget.set(it.target, { ...(it as VolumeDraft), origin: { mode: '', inherited: true } })
  }
  return [...byTarget.values()]
}
