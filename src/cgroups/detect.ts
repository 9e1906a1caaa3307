import { accessSync, constants, readFileSync, statfsSync } from 'node:fs'
import { release } from 'node:os'
import { JubakoError } from '../errors/index.js'
import { errnoOf } from './files.js'
import { type CgroupMounts, parseCgroupMounts } from './mounts.js'
import type { CgroupHost } from './types.js'
import { V1Host } from './v1/host.js'
import { V2Host } from './v2/host.js'

/** CGROUP2_SUPER_MAGIC of linux/magic.h. */
const cgroup2Magic = 0x63677270

const known = new Map<string, CgroupHost>()

/**
 * The cgroup hierarchies mounted at or below `cgroupRoot`. Found once per process; a failure is looked into again.
 *
 * @throws {@link JubakoError} ERR_JUBAKO_UNSUPPORTED: none is mounted, or it is mounted read-only.
 */
export function detectCgroups({ cgroupRoot = '/sys/fs/cgroup' }: { cgroupRoot?: string } = {}): CgroupHost {
  const found = known.get(cgroupRoot) ?? detect(cgroupRoot)
  known.set(cgroupRoot, found)
  return found
}

function detect(root: string): CgroupHost {
  if (isUnified(root)) {
    refuseReadOnly([root])
    return new V2Host(root)
  }
  const mounts = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'), root)
  // What is listed may be covered by a later mount.
  if (mounts.unified !== null && !isUnified(mounts.unified)) mounts.unified = null
  if (mounts.controllers.size === 0) throw nothingMounted(root, mounts)
  refuseReadOnly(new Set(mounts.controllers.values()))
  return new V1Host(mounts, hasCgroupKill(release()))
}

function isUnified(root: string): boolean {
  try {
    return statfsSync(root).type === cgroup2Magic
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

function nothingMounted(root: string, mounts: CgroupMounts): JubakoError {
  const what = mounts.unified === null ? 'no cgroup hierarchy is mounted' : 'no cgroup controller is mounted'
  return new JubakoError('ERR_JUBAKO_UNSUPPORTED', `${what} at ${root}`, {
    path: root,
    hint: `mount it: mount -t cgroup2 cgroup2 ${root}`,
  })
}

function refuseReadOnly(directories: Iterable<string>): void {
  for (const directory of directories) {
    try {
      accessSync(directory, constants.W_OK)
    } catch (error) {
      if (errnoOf(error) !== 'EROFS') throw notWritable(directory, error)
      throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `the cgroup hierarchy ${directory} is mounted read-only`, {
        path: directory,
        hint: `in a container, start that container with a writable ${directory} (docker run --privileged); else mount -o remount,rw ${directory}`,
        cause: error,
      })
    }
  }
}

const notWritable = (directory: string, cause: unknown): JubakoError =>
  new JubakoError('ERR_JUBAKO_UNSUPPORTED', `the cgroup hierarchy ${directory} cannot be written`, {
    path: directory,
    errnoName: errnoOf(cause),
    hint: 'run as root',
    cause,
  })

/** `cgroup.kill` came with Linux 5.14. */
export function hasCgroupKill(kernelRelease: string): boolean {
  const [major = 0, minor = 0] = kernelRelease.split('.').map(Number)
  return major > 5 || (major === 5 && minor >= 14)
}
