import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync } from 'node:fs'
import { hasOpaqueMark } from '../native/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import type { Change } from './container-types.js'
import type { EngineContext } from './context.js'

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** Names are bytes; one character each, so that none is lost on the way back into a path. */
const names = (fd: number): string[] => readdirSync(`/proc/self/fd/${fd}`, 'latin1').sort()
const below = (fd: number, name: string): Buffer => Buffer.from(`/proc/self/fd/${fd}/${name}`, 'latin1')

function statAt(fd: number, name: string): BigIntStats | undefined {
  try {
    return lstatSync(below(fd, name), { bigint: true })
  } catch {
    return undefined
  }
}

function openAt(fd: number, name: string): number | undefined {
  try {
    return openSync(below(fd, name), DIRECTORY)
  } catch {
    // Another process's change: it is no directory any more.
    return undefined
  }
}

/** A character device 0:0 hides what the layers below have (Documentation/filesystems/overlayfs.rst). */
const isWhiteout = (info: BigIntStats): boolean => info.isCharacterDevice() && info.rdev === 0n

/** What the layers show at one name: undefined for nothing, and for a directory those of its layers that count. */
function lookUp(layers: readonly number[], name: string): { info: BigIntStats; directories: number[] } | undefined {
  let first: BigIntStats | undefined
  const directories: number[] = []
  for (const layer of layers) {
    const info = statAt(layer, name)
    if (info === undefined) continue
    if (isWhiteout(info) || (first !== undefined && !info.isDirectory())) break
    first ??= info
    if (!info.isDirectory()) break
    const fd = openAt(layer, name)
    if (fd === undefined) break
    directories.push(fd)
    if (hasOpaqueMark(fd)) break
  }
  return first === undefined ? undefined : { info: first, directories }
}

const sameAttributes = (a: BigIntStats, b: BigIntStats): boolean =>
  a.mode === b.mode && a.uid === b.uid && a.gid === b.gid

/**
 * Where the engine mounts something of its own: what stands there in the container's layer is the mount's, not the
 * container's.
 */
function mountPoints(config: ContainerConfig): Set<string> {
  const own = ['/dev', '/proc', '/sys', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/.dockerenv']
  return new Set([...own, ...config.mounts.map(({ target }) => target.replace(/\/+$/, ''))])
}

class Walk {
  readonly changes: Change[] = []

  constructor(private readonly mounts: ReadonlySet<string>) {}

  /** @returns whether anything below was changed */
  directory(path: string, upper: number, lowers: readonly number[]): { changed: boolean; mounts: boolean } {
    const opaque = hasOpaqueMark(upper)
    const present = names(upper)
    const all = opaque ? [...new Set([...present, ...lowers.flatMap(names)])].sort() : present
    let changed = false
    let mounts = false
    for (const name of all) {
      const at = `${path}/${name}`
      const result = this.#entry(at, name, upper, lowers)
      changed ||= result === 'changed'
      mounts ||= result === 'mount'
    }
    return { changed, mounts }
  }

  #entry(path: string, name: string, upper: number, lowers: readonly number[]): 'changed' | 'same' | 'mount' {
    const info = statAt(upper, name)
    const before = lookUp(lowers, name)
    const at = this.changes.length
    const note = (kind: Change['kind']): 'changed' => {
      this.changes.splice(at, 0, { kind, path: Buffer.from(path, 'latin1').toString() })
      return 'changed'
    }
    try {
      if (info === undefined || isWhiteout(info)) return before === undefined ? 'same' : note('deleted')
      if (before === undefined && this.mounts.has(path)) return 'mount'
      if (!info.isDirectory()) return note(before === undefined ? 'added' : 'modified')
      const fd = openAt(upper, name)
      if (fd === undefined) return 'same'
      try {
        const inside = this.directory(path, fd, before?.directories ?? [])
        if (before === undefined) return inside.mounts && !inside.changed ? 'mount' : note('added')
        if (!before.info.isDirectory() || inside.changed || !sameAttributes(info, before.info)) return note('modified')
        // The time of a directory tells a change in it, unless that was the making of a mount point.
        if (inside.mounts || info.mtimeNs === before.info.mtimeNs) return inside.mounts ? 'mount' : 'same'
        return note('modified')
      } finally {
        closeSync(fd)
      }
    } finally {
      for (const fd of before?.directories ?? []) closeSync(fd)
    }
  }
}

/** What a container changed in its root file system, sorted by path. Volumes and other mounts do not count. */
export function changesOf(context: EngineContext, config: ContainerConfig): Change[] {
  const layers = config.layers.map((path) => (path.startsWith('/') ? path : `${context.root}/${path}`))
  const fds: number[] = []
  try {
    for (const path of [context.store.places.of(config.id).upper, ...layers]) fds.push(openSync(path, DIRECTORY))
    const walk = new Walk(mountPoints(config))
    walk.directory('', fds[0]!, fds.slice(1))
    return walk.changes
  } finally {
    for (const fd of fds) closeSync(fd)
  }
}
