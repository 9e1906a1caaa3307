import { closeSync, constants, fchmodSync, fchownSync, fstatSync, futimesSync, openSync, type Stats } from 'node:fs'
import { hasOpaqueMark } from '../native/storage.js'

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Gives directories that a layer uses without having an entry for them the mode, owner and time of the directory they
 * cover: overlay shows the topmost one. Where none is below they stay as they were made (0755, root).
 *
 * @param diff the layer's directory
 * @param implicit relative to it, parents before children; `.` is the directory itself
 * @param below directories of the lower layers, nearest first, already treated themselves
 */
export function adoptAttributes(diff: string, implicit: readonly string[], below: readonly string[]): void {
  for (const path of implicit) {
    const components = path.split('/').filter((part) => part !== '' && part !== '.')
    if (components.includes('..')) continue
    const covered = findCovered(components, below)
    if (covered === undefined) continue
    const fd = walk(diff, components).fd
    if (fd === undefined) continue
    try {
      fchownSync(fd, covered.uid, covered.gid)
      fchmodSync(fd, covered.mode & 0o7777)
      futimesSync(fd, covered.atimeMs / 1000, covered.mtimeMs / 1000)
    } finally {
      closeSync(fd)
    }
  }
}

/** The directory of that name that a stack shows. */
function findCovered(components: string[], below: readonly string[]): Stats | undefined {
  for (const layer of below) {
    const found = walk(layer, components)
    if (found.fd !== undefined) {
      const info = fstatSync(found.fd)
      closeSync(found.fd)
      return info
    }
    if (found.hides) return undefined
  }
  return undefined
}

/**
 * Opens a directory component by component, each relative to the descriptor of its parent, and through no link.
 *
 * @returns `hides` when the layer has something else there, or hides what lower layers have
 */
function walk(root: string, components: string[]): { fd: number | undefined; hides: boolean } {
  // The store's own path: it may be a link to a snapshot.
  let fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY)
  let hides = false
  for (const component of components) {
    hides ||= hasOpaqueMark(fd)
    const next = openBelow(fd, component)
    closeSync(fd)
    if (typeof next !== 'number') return { fd: undefined, hides: hides || next.other }
    fd = next
  }
  return { fd, hides }
}

function openBelow(parent: number, name: string): number | { other: boolean } {
  const path = `/proc/self/fd/${parent}/${name}`
  try {
    return openSync(path, DIRECTORY)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { other: false }
    // A whiteout, a file or a link stands there.
    if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO') return { other: true }
    throw error
  }
}
