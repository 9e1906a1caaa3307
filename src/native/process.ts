import { addon } from './addon.js'

/** Whether some process holds the OFD write lock on a file that the `lock` step took. A missing file is not locked. */
export function isLocked(path: string): boolean {
  return addon().isLocked(path)
}

/**
 * Takes the lock that a container's supervisor holds while it lives, so that none can begin.
 *
 * @returns a descriptor, to be closed with {@link closeFd}; undefined when somebody holds it
 */
export function lockRun(path: string): number | undefined {
  const fd = addon().lockRun(path)
  return fd < 0 ? undefined : fd
}

/** pipe2(2) with O_CLOEXEC: `[read end, write end]`. The caller owns both. */
export function openPipe(): [number, number] {
  return addon().openPipe()
}

/** close(2) of a descriptor that no Node object owns. */
export function closeFd(fd: number): void {
  addon().closeFd(fd)
}
