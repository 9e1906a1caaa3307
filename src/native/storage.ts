import { closeSync, openSync } from 'node:fs'
import { addon } from './addon.js'
import { errnoNumber, isNativeFailure, nativeError } from './failure.js'

/**
 * Tries to lock an open file (`flock(2)`). The lock lasts until the descriptor is closed.
 *
 * @returns false when another open file holds it
 */
export function tryFlock(fd: number, exclusive: boolean): boolean {
  const errno = addon().tryFlock(fd, exclusive)
  if (errno === 0) return true
  if (errno === errnoNumber('EWOULDBLOCK')) return false
  throw nativeError({ errno, op: 0, syscall: 'flock', path: '', detail: 0 }, 'cannot lock a file')
}

/**
 * Renames unless the target exists (`renameat2(2)`, `RENAME_NOREPLACE`).
 *
 * @returns false when it exists
 */
export function renameNoReplace(from: string, to: string): boolean {
  const errno = addon().renameNoReplace(from, to)
  if (errno === 0) return true
  if (errno === errnoNumber('EEXIST')) return false
  throw nativeError({ errno, op: 0, syscall: 'renameat2', path: to, detail: 0 }, 'cannot rename')
}

/** Makes two names change places in one step (`renameat2(2)`, `RENAME_EXCHANGE`). Both must exist, on one file system. */
export function renameExchange(a: string, b: string): void {
  const errno = addon().renameExchange(a, b)
  if (errno !== 0) throw nativeError({ errno, op: 0, syscall: 'renameat2', path: b, detail: 0 }, 'cannot rename')
}

/** Whether an open directory of a layer is opaque: overlay shows nothing of the layers below in it. */
export function hasOpaqueMark(fd: number): boolean {
  return addon().hasOpaqueMark(fd)
}

/**
 * The text of a file of the engine's own or of the kernel's, never one inside a container. Faster than `node:fs` for small
 * files, and most of all for those that are not there.
 *
 * @returns undefined when there is no such file, or what it was about has gone (`ENODEV` of a cgroup)
 * @throws JubakoError ERR_JUBAKO_SYSTEM
 */
export function readText(path: string): string | undefined {
  const text = addon().readText(path)
  if (typeof text === 'string') return text
  if (GONE.includes(text)) return undefined
  throw nativeError({ errno: text, op: 0, syscall: 'read', path, detail: 0 }, 'cannot read a file')
}

const GONE = (['ENOENT', 'ENOTDIR', 'ENODEV'] as const).map(errnoNumber)

/** Writes everything of a file system to its disk (`syncfs(2)`). `path` is any directory on it. */
export async function syncFileSystem(path: string): Promise<void> {
  const fd = openSync(path, 'r')
  try {
    await addon().syncFileSystem(fd)
  } catch (error) {
    throw isNativeFailure(error) ? nativeError(error, `cannot sync the file system of ${path}`) : error
  } finally {
    closeSync(fd)
  }
}

/**
 * Removes a directory and everything below by descriptors: no symbolic link is followed, no mount entered, any depth.
 * Missing is no error.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await addon().removeTree(path)
  } catch (error) {
    throw isNativeFailure(error) ? nativeError(error, `cannot remove ${path}`) : error
  }
}

/**
 * Sends a part of a file to a socket without waiting for room in it (`sendfile(2)`). Nothing else may be written to it meanwhile.
 *
 * @param file stays open until this settles
 * @returns how many bytes were sent; fewer than `count`, or none, when the socket is full or broken
 */
export function sendFile(socket: number, file: number, offset: number, count: number): Promise<number> {
  return addon().sendFile(socket, file, offset, count)
}

/**
 * Gives the memory of a buffer back at once: what streams make for each piece of data would wait for a collection of garbage
 * otherwise. Whoever has it has an empty buffer then. A buffer that shares its memory with others is left alone.
 */
export function freeBuffer(buffer: Buffer): void {
  if (buffer.byteLength === buffer.buffer.byteLength) addon().freeBuffer(buffer.buffer)
}
