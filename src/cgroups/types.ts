import type { DeviceRule } from '../oci/devices.js'

/** A rate limit on one block device. */
export interface Throttle {
  /** Device node on the host. */
  path: string
  /** Bytes or operations per second. */
  rate: number
}

/** Limits of one container. Unset means unlimited. Units as in the engine's options: bytes, microseconds, counts. */
export interface Resources {
  memory?: number
  /** Memory plus swap; -1 is unlimited swap. Default: twice `memory`. */
  memorySwap?: number
  memoryReservation?: number
  memorySwappiness?: number
  cpus?: number
  cpuPeriod?: number
  cpuQuota?: number
  cpuShares?: number
  cpusetCpus?: string
  cpusetMems?: string
  pidsLimit?: number
  blkioWeight?: number
  blkioWeightDevice?: { path: string; weight: number }[]
  deviceReadBps?: Throttle[]
  deviceWriteBps?: Throttle[]
  deviceReadIops?: Throttle[]
  deviceWriteIops?: Throttle[]
  oomKillDisable?: boolean
}

/** Limits as they will hold on this host, and what had to be left out. */
export interface CheckedResources {
  resources: Resources
  /** Limits this kernel does not have, in Docker's words. */
  warnings: string[]
}

/** One write of a value into a cgroup file. Consecutive writes to one path may share one open. */
export interface CgroupWrite {
  path: string
  value: string
  /** false: the file may be missing or refuse; go on. */
  required: boolean
}

/** How everything in a cgroup is killed. */
export type CgroupKill =
  /** Write `1` to `path` (kernel 5.14). */
  | { kind: 'cgroup.kill'; path: string }
  /**
   * Write `FROZEN` to `freezer` (null: none, then repeat until `procs` is empty), SIGKILL every pid in `procs`,
   * write `THAWED`.
   */
  | { kind: 'procs'; procs: string; freezer: string | null }

/**
 * The cgroup of one container, decided: what the supervisor has to do before, at and after the life of its first process.
 */
export interface CgroupPlan {
  version: 1 | 2
  /** Ancestors of `directories`, outermost first. They exist but for the first container: make them (EEXIST is fine)
   * only when a `mkdir` of `directories` says ENOENT, then try again. */
  parents: string[]
  /** Writes into the ancestors, before `directories` are made; empty when they are prepared already. When not empty,
   * make `parents` first. */
  parentWrites: CgroupWrite[]
  /** The container's own directories, in the order of creation. EEXIST is an error: somebody lives there. */
  directories: string[]
  /** Limits and device rules, in order, before the first process is in. */
  writes: CgroupWrite[]
  /**
   * v1: files into which the container's first process writes `0` itself, while it is single-threaded and still sees the
   * host's cgroupfs. (Writing another process's pid takes a global lock and an RCU grace period; `0` into `tasks` does not.)
   */
  join: string[]
  /** The directory for `CLONE_INTO_CGROUP`: always on v2; on v1 when the host has a unified hierarchy too. */
  into: string | null
  /** v2: instructions (`struct bpf_insn`) of a BPF_PROG_TYPE_CGROUP_DEVICE program to attach to `into`; null: no rules. */
  deviceProgram: Uint8Array | null
  /** Counter of processes the OOM killer took, a `key value` line; read before `remove`. null: no memory controller. */
  oom: { path: string; key: string } | null
  kill: CgroupKill
  /** Order for `rmdir`. Retry EBUSY: a killed process leaves its cgroup a moment after it was reaped. */
  remove: string[]
  /** The container's path as `/proc/<pid>/cgroup` shows it, for example `/jubako/<id>`. */
  path: string
  /** Limits left out because the kernel lacks them. */
  warnings: string[]
}

/** One sample of what a cgroup uses. Bytes, nanoseconds, counts. */
export interface CgroupStats {
  /** Milliseconds since the epoch. */
  readAt: number
  cpu: {
    usageNs: number
    userNs: number
    systemNs: number
    periods: number
    throttledPeriods: number
    throttledNs: number
  }
  memory: { usage: number; limit: number | null; rss: number; cache: number; swap: number; oomKills: number }
  pids: { current: number; limit: number | null }
  blkio: { readBytes: number; writeBytes: number; readOps: number; writeOps: number }
}

export type FreezerState = 'thawed' | 'freezing' | 'frozen'

/** The cgroup of a container that was started. Every method works on whatever exists at the moment of the call. */
export interface Cgroup {
  readonly id: string
  /** As in {@link CgroupPlan}: what another process does to join the container. */
  readonly join: readonly string[]
  readonly into: string | null
  /** The file that contains `text` while everything in it stands still; null without a freezer. */
  readonly frozenWhen: { path: string; text: string } | null
  exists(): boolean
  /** pids on this host's pid namespace, descendants' included. */
  processes(): number[]
  stats(): CgroupStats
  /** Processes the OOM killer took in this cgroup since it was made. */
  oomKills(): number
  state(): FreezerState
  /** Resolves when every process stands still. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** SIGKILL to everything in it; resolves when it is empty. */
  kill(): Promise<void>
  /** Changes the given limits, leaves the others. Returns warnings. */
  update(resources: Resources): string[]
  /** Removes the directories, children first. Resolves when they are gone; missing ones are fine. */
  remove(): Promise<void>
}

/** Where a container's cgroup goes. */
export interface CgroupPlacement {
  /** Absolute path below the hierarchy's root. Default `/jubako`. */
  parent?: string | undefined
}

/** The cgroup hierarchies of this host, through one of the two drivers. */
export interface CgroupHost {
  readonly version: 1 | 2
  /** Names of the controllers that can be used, sorted. */
  readonly controllers: readonly string[]
  /**
   * Checks limits against Docker's rules and this host.
   *
   * @throws {@link JubakoError} ERR_JUBAKO_INVALID_ARGUMENT with Docker's message.
   */
  check(resources: Resources): CheckedResources
  plan(
    id: string,
    resources: Resources,
    /** null: no device rules at all. */
    devices: readonly DeviceRule[] | null,
    placement?: CgroupPlacement,
  ): CgroupPlan
  open(id: string, placement?: CgroupPlacement): Cgroup
  /** Names of the cgroups below the parent, live or left behind by a crash. */
  list(placement?: CgroupPlacement): string[]
}
