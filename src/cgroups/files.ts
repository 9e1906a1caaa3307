import { closeSync, constants, mkdirSync, openSync, readdirSync, rmdirSync, writeSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import { readText } from '../native/index.js'

/** errno name of a failed `node:fs` call, for example `ENOENT`. */
export const errnoOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** Turns a failed file operation on a cgroup into an error that names the file. */
export function cgroupError(error: unknown, message: string, path: string, hint?: string): JubakoError {
  const { code, errno, syscall } = error as NodeJS.ErrnoException
  return new JubakoError('ERR_JUBAKO_SYSTEM', `${message}: ${code ?? String(error)}`, {
    errnoName: code,
    errno: errno === undefined ? undefined : Math.abs(errno),
    syscall,
    path,
    hint,
    cause: error,
  })
}

/** Content of a cgroup file without its last line feed; null when it, or its cgroup, does not exist. */
export const read = (path: string): string | null => readText(path)?.trimEnd() ?? null

/**
 * One write(2) of `value`: the kernel takes one value a write.
 *
 * Opened without O_CREAT and O_TRUNC, so that a missing file is ENOENT and not cgroupfs's EACCES.
 */
export function write(path: string, value: string): void {
  const fd = openSync(path, constants.O_WRONLY)
  try {
    writeSync(fd, value)
  } finally {
    closeSync(fd)
  }
}

/** The `key value` lines of a flat keyed file as numbers; empty when it does not exist. */
export function keyed(path: string): Map<string, number> {
  const values = new Map<string, number>()
  for (const line of read(path)?.split('\n') ?? []) {
    const space = line.indexOf(' ')
    if (space > 0) values.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return values
}

/** A file with one number; 0 when it does not exist. */
export const count = (path: string): number => Number(read(path) ?? 0)

/** Names of a cgroup's children; empty when it does not exist. */
export function children(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw cgroupError(error, `cannot list ${directory}`, directory)
  }
}

/** pids in a cgroup and below it. */
export function processesBelow(directory: string): number[] {
  const own = read(`${directory}/cgroup.procs`)
  const pids = own === null || own === '' ? [] : own.split('\n').map(Number)
  for (const child of children(directory)) pids.push(...processesBelow(`${directory}/${child}`))
  return pids
}

/** Makes a cgroup unless it is there. */
export function make(directory: string): void {
  try {
    mkdirSync(directory, 0o755)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw cgroupError(error, `cannot create the cgroup ${directory}`, directory)
  }
}

/** One attempt to remove a cgroup and its children. False: something still lives in it. */
export function removeTree(directory: string): boolean {
  try {
    rmdirSync(directory)
    return true
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ENOENT') return true
    if (code !== 'EBUSY' && code !== 'ENOTEMPTY')
      throw cgroupError(error, `cannot remove the cgroup ${directory}`, directory)
  }
  const below = children(directory)
  if (below.length === 0) return false
  for (const child of below) if (!removeTree(`${directory}/${child}`)) return false
  return removeTree(directory)
}
