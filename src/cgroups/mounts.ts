/** The cgroup mounts of this process's mount namespace. */
export interface CgroupMounts {
  /** v1: directory of each controller's hierarchy. Controllers mounted together have the same directory. */
  controllers: Map<string, string>
  /** Directory of the v2 hierarchy, null when there is none. */
  unified: string | null
}

const decodeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/**
 * Finds the cgroup mounts at or below `root` in the text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
 *
 * A named v1 hierarchy (`name=systemd`) has no controllers and is left out. A hierarchy mounted twice counts where it was
 * mounted first.
 */
export function parseCgroupMounts(mountinfo: string, root: string): CgroupMounts {
  const mounts: CgroupMounts = { controllers: new Map(), unified: null }
  for (const line of mountinfo.split('\n')) {
    // Cheap test first: a host has many other mounts.
    if (!line.includes(' - cgroup')) continue
    const [mount = '', superblock = ''] = line.split(' - ')
    const directory = decodeOctal(mount.split(' ')[4] ?? '')
    if (directory !== root && !directory.startsWith(`${root}/`)) continue
    const [type, , options = ''] = superblock.split(' ')
    if (type === 'cgroup2') mounts.unified ??= directory
    if (type !== 'cgroup') continue
    for (const option of options.split(',')) {
      if (knownControllers.has(option) && !mounts.controllers.has(option)) mounts.controllers.set(option, directory)
    }
  }
  return mounts
}

/** The v1 controllers an engine has a use for, in the order of their directories' creation. */
export const v1Controllers = ['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids'] as const
export type V1Controller = (typeof v1Controllers)[number]
const knownControllers: ReadonlySet<string> = new Set(v1Controllers)
