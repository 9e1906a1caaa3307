import { lstatSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import type { Container, PathStat } from '../../engine/types.js'
import { isJubakoError } from '../../errors/index.js'
import type { CommandContext } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'

export interface CopyFlags {
  archive: boolean
  follow: boolean
}

/** A path in a container; `name` is how the caller calls it. */
export interface ContainerPlace {
  container: Container
  name: string
  path: string
}

const IFMT = 0o170000
const isDirectory = ({ mode }: PathStat): boolean => (mode & IFMT) === 0o040000
const isRegular = ({ mode }: PathStat): boolean => (mode & IFMT) === 0o100000
const problem = (message: string): CodedError => new CodedError(message, EXIT.failure)

/** `a/` and `a/.` are directories to whoever writes them so. */
const assertsDirectory = (path: string): boolean => path.endsWith('/') || basename(path) === '.'
/** Absolute, with the slash or `/.` at the end that resolving takes off. */
function absolute(path: string): string {
  const clean = resolve(path)
  if (clean === '/') return clean
  return basename(path) === '.' && path !== '.' ? `${clean}/.` : path.endsWith('/') ? `${clean}/` : clean
}

interface Target {
  exists: boolean
  directory: boolean
  path: string
}

/** Where the archive is unpacked, and what its top gets for a name; docker's rules (its documentation of `cp`). */
function plan(source: { name: string; directory: boolean }, target: Target): { at: string; name: string } {
  if (target.exists && target.directory) return { at: target.path, name: source.name }
  if (target.exists && source.directory) throw problem('cannot copy directory')
  if (!target.exists && !source.directory && assertsDirectory(target.path)) throw problem('no such directory')
  const clean = target.path.replace(/\/+\.?$/, '')
  return { at: dirname(clean), name: basename(clean) }
}

/** What a link of the container leads to, as a path there. */
async function followed(
  { container, path }: ContainerPlace,
  stat: PathStat,
): Promise<{ path: string; stat: PathStat }> {
  const target = isAbsolute(stat.linkTarget) ? stat.linkTarget : join(dirname(path), stat.linkTarget)
  return { path: target, stat: await container.stat(target) }
}

/** @returns bytes of the archive */
export async function copyOut(
  from: ContainerPlace,
  to: string,
  flags: CopyFlags,
  context: Pick<CommandContext, 'out'>,
): Promise<number> {
  const { container } = from
  if (to !== '-') checkOutputPath(to)
  let stat = await container.stat(from.path)
  const wanted = from.path.endsWith('/.') || /^\/*$/.test(from.path) ? '.' : basename(from.path)
  let path = from.path
  if (flags.follow && stat.linkTarget !== '') ({ path, stat } = await followed(from, stat))
  if (to === '-') {
    const { stream } = await container.copyOut(path, { name: wanted })
    let bytes = 0
    for await (const chunk of stream) {
      bytes += (chunk as Buffer).length
      await context.out.bytes(chunk as Buffer)
    }
    return bytes
  }
  const target = hostTarget(absolute(to))
  const { at, name } = plan({ name: wanted, directory: isDirectory(stat) }, target)
  return container.files.copyToHost(path, { directory: at }, { name, owners: flags.archive })
}

function checkOutputPath(path: string): void {
  const parent = dirname(absolute(path).replace(/\/\.?$/, ''))
  if (tryStat(parent) === undefined) {
    throw problem(`invalid output path: directory "${dirname(path.replace(/\/\.?$/, ''))}" does not exist`)
  }
  const there = tryStat(path)
  if (there !== undefined && !there.isDirectory() && !there.isFile()) {
    const kind = there.isCharacterDevice() || there.isBlockDevice() ? 'got a device' : 'got an irregular file'
    throw problem(`invalid output path: "${path}" must be a directory or a regular file: ${kind}`)
  }
}

const tryStat = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false })

/** The destination here; a link stands for what it leads to, be it there or not. */
function hostTarget(path: string): Target {
  let at = path
  for (let links = 0; links < 40; links++) {
    const info = lstatSync(at.replace(/(?<=.)\/\.?$/, ''), { throwIfNoEntry: false })
    if (info === undefined) {
      const parent = tryStat(dirname(at.replace(/(?<=.)\/\.?$/, '')))
      if (parent === undefined || !parent.isDirectory()) throw problem('no such directory')
      return { exists: false, directory: false, path: at }
    }
    if (!info.isSymbolicLink()) {
      if (!info.isDirectory() && assertsDirectory(at)) throw problem('not a directory')
      return { exists: true, directory: info.isDirectory(), path: at }
    }
    at = resolve(dirname(at), readlinkSync(at.replace(/\/\.?$/, '')))
  }
  throw problem(`too many links: ${path}`)
}

/** @returns bytes of the archive; for standard input 0 */
export async function copyIn(from: string, to: ContainerPlace, flags: CopyFlags): Promise<number> {
  const { container } = to
  const target = await containerTarget(to)
  if (from === '-') {
    if (!target.directory) throw problem(`destination "${to.name}:${to.path}" must be a directory`)
    await container.copyIn(target.path, process.stdin, { owners: true })
    return 0
  }
  const source = hostSource(absolute(from), flags.follow)
  const { at, name } = plan(source, target)
  return container.files.copyFromHost(source.place, at, { name, follow: source.follow })
}

async function containerTarget(to: ContainerPlace): Promise<Target> {
  try {
    let path = to.path === '' ? '/' : to.path
    let stat = await to.container.stat(path)
    if (stat.linkTarget !== '') ({ path, stat } = await followed({ ...to, path }, stat))
    if (!isDirectory(stat) && !isRegular(stat)) {
      throw problem(`destination "${to.name}:${to.path}" must be a directory or a regular file`)
    }
    if (!isDirectory(stat) && assertsDirectory(path)) throw problem('not a directory')
    return { exists: true, directory: isDirectory(stat), path }
  } catch (error) {
    // Where it is to go may not exist yet: unpacking says what is wrong with its parent.
    if (!isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND') && !isJubakoError(error, 'ERR_JUBAKO_SYSTEM')) throw error
    return { exists: false, directory: false, path: to.path }
  }
}

interface Source {
  name: string
  directory: boolean
  follow: boolean
  place: { directory: string; path: string }
}

function hostSource(path: string, follow: boolean): Source {
  const plain = path.replace(/(?<=.)\/\.?$/, '')
  const through = follow || plain !== path
  let info: Stats
  try {
    info = through ? statSync(plain) : lstatSync(plain)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = {
      ENOENT: 'no such file or directory',
      ENOTDIR: 'not a directory',
      ELOOP: 'too many levels of symbolic links',
    }
    throw new CodedError(`lstat ${plain}: ${why[code as 'ENOENT'] ?? code}`, EXIT.failure, { cause: error })
  }
  if (plain !== path && !info.isDirectory()) throw problem('not a directory')
  const name = path.endsWith('/.') || path === '/' ? '.' : basename(plain)
  // A directory is packed from itself, so that what a link leads to needs no name.
  if (info.isDirectory()) return { name, directory: true, follow: false, place: { directory: plain, path: '' } }
  const real = through ? realpathSync(plain) : plain
  return { name, directory: false, follow: false, place: { directory: dirname(real), path: basename(real) } }
}
