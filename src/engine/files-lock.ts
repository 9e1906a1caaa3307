import { closeSync, constants, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { tryFlock } from '../native/index.js'
import type { ContainerPaths } from '../runtime/index.js'

/**
 * The writable layer of a container that does not run, for this caller alone: overlayfs must not have one upper directory
 * in two mounts. A supervisor holds the same lock, flock(2) on the container's directory, through each of its
 * container's lives.
 *
 * @param giveUp asked while somebody else holds it
 * @returns a descriptor that holds the lock, to be closed; undefined when it gave up
 */
export async function lockFiles(
  paths: Pick<ContainerPaths, 'directory'>,
  giveUp: () => Promise<boolean> = async () => false,
): Promise<number | undefined> {
  const fd = openSync(paths.directory, constants.O_RDONLY | constants.O_DIRECTORY)
  for (let attempt = 0; !tryFlock(fd, true); attempt++) {
    if (await giveUp()) {
      closeSync(fd)
      return undefined
    }
    await sleep(attempt < 20 ? 1 : 10)
  }
  return fd
}
