import { existsSync, statSync } from 'node:fs'
import { JubakoError } from '../../errors/index.js'
import { allowsEverything, type DeviceRule } from '../../oci/devices.js'
import { type Capabilities, checkResources, completeResources } from '../check.js'
import { children, make, read, removeTree } from '../files.js'
import { type CgroupMounts, type V1Controller, v1Controllers } from '../mounts.js'
import { ancestry, checkId, parentPath } from '../placement.js'
import { compileDeviceProgram } from '../program.js'
import type {
  Cgroup,
  CgroupHost,
  CgroupPlacement,
  CgroupPlan,
  CgroupWrite,
  CheckedResources,
  Resources,
} from '../types.js'
import { V1Cgroup } from './cgroup.js'
import { deviceWrites } from './devices.js'
import { limitWrites } from './limits.js'

/**
 * Driver for cgroup v1: one directory per hierarchy. On a hybrid host whose kernel has `cgroup.kill`, a directory in the
 * unified hierarchy takes the freezer controller's place.
 */
export class V1Host implements CgroupHost {
  readonly version = 1
  readonly controllers: readonly string[]
  readonly #mounts: ReadonlyMap<string, string>
  readonly #unified: string | null
  /** cpusets of parents by what tells them apart from others of that name. */
  readonly #prepared = new Map<string, string>()
  /** Those that exist: what a kernel has it keeps. */
  readonly #files = new Set<string>()

  constructor(mounts: CgroupMounts, unifiedKills: boolean) {
    this.#mounts = mounts.controllers
    this.#unified = unifiedKills ? mounts.unified : null
    this.controllers = [...mounts.controllers.keys()].sort()
  }

  check(resources: Resources): CheckedResources {
    return checkResources(resources, this.#capabilities)
  }

  plan(
    id: string,
    resources: Resources,
    devices: readonly DeviceRule[] | null,
    placement?: CgroupPlacement,
  ): CgroupPlan {
    const parent = parentPath(placement)
    const path = `${parent}/${checkId(id)}`
    const { resources: limits, warnings } = completeResources(this.check(resources))
    const roots = this.#roots()
    const directories = roots.map((root) => root + path)
    const unified = this.#unified === null ? null : this.#unified + path
    const rules = this.#deviceRules(devices, path)
    const memory = this.#mounts.get('memory')
    return {
      version: 1,
      parents: roots.flatMap((root) => ancestry(parent).map((ancestor) => root + ancestor)),
      parentWrites: this.#cpusetPreparation(parent),
      directories,
      writes: [
        ...limitWrites(limits, (controller) => this.#mounts.get(controller)! + path, this.#hasFile),
        ...rules.writes,
      ],
      join: directories.filter((directory) => directory !== unified).map((directory) => `${directory}/tasks`),
      into: unified,
      deviceProgram: rules.program,
      oom: memory === undefined ? null : { path: `${memory}${path}/memory.oom_control`, key: 'oom_kill' },
      kill:
        unified === null
          ? { kind: 'procs', procs: `${directories[0]}/cgroup.procs`, freezer: this.#freezer(path) }
          : { kind: 'cgroup.kill', path: `${unified}/cgroup.kill` },
      remove: directories.toReversed(),
      path,
      warnings,
    }
  }

  open(id: string, placement?: CgroupPlacement): Cgroup {
    const path = `${parentPath(placement)}/${checkId(id)}`
    const inUse = [...this.#mounts].filter(([controller]) => this.#uses(controller))
    return new V1Cgroup(id, {
      controllers: new Map(inUse.map(([controller, root]) => [controller, root + path])),
      unified: this.#unified === null ? null : this.#unified + path,
      check: (resources) => this.check(resources),
      hasFile: this.#hasFile,
    })
  }

  list(placement?: CgroupPlacement): string[] {
    const parent = parentPath(placement)
    return [...new Set(this.#roots().flatMap((root) => children(root + parent)))].sort()
  }

  /** The unified hierarchy freezes and kills better than the freezer controller, which it replaces. */
  #uses(controller: string): boolean {
    return controller !== 'freezer' || this.#unified === null
  }

  /** Roots of the hierarchies in use, each once. */
  #roots(): string[] {
    const roots = v1Controllers
      .filter((controller) => this.#uses(controller))
      .map((controller) => this.#mounts.get(controller))
      .filter((root) => root !== undefined)
    if (this.#unified !== null) roots.push(this.#unified)
    return [...new Set(roots)]
  }

  #freezer(path: string): string | null {
    const root = this.#mounts.get('freezer')
    return root === undefined ? null : `${root}${path}/freezer.state`
  }

  #deviceRules(
    rules: readonly DeviceRule[] | null,
    path: string,
  ): { writes: CgroupWrite[]; program: Uint8Array | null } {
    if (rules === null || allowsEverything(rules)) return { writes: [], program: null }
    const root = this.#mounts.get('devices')
    if (root !== undefined) return { writes: deviceWrites(rules, root + path), program: null }
    if (this.#unified !== null) return { writes: [], program: compileDeviceProgram(rules) }
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', "Devices cgroup isn't mounted", {
      hint: 'mount it: mkdir -p /sys/fs/cgroup/devices && mount -t cgroup -o devices cgroup /sys/fs/cgroup/devices',
    })
  }

  /**
   * Nothing can join a cpuset without CPUs and memory nodes. With `cgroup.clone_children` a new cpuset takes its parent's,
   * so that a container's own needs no write.
   */
  #cpusetPreparation(parent: string): CgroupWrite[] {
    const root = this.#mounts.get('cpuset')
    if (root === undefined || this.#isPrepared(root + parent)) return []
    const writes: CgroupWrite[] = []
    const inherited = { 'cpuset.cpus': '', 'cpuset.mems': '' }
    for (const ancestor of ['', ...ancestry(parent)]) {
      for (const file of ['cpuset.cpus', 'cpuset.mems'] as const) {
        const path = `${root}${ancestor}/${file}`
        const own = read(path)
        if (own) inherited[file] = own
        else writes.push({ path, value: inherited[file], required: true })
      }
    }
    writes.push({ path: `${root}${parent}/cgroup.clone_children`, value: '1', required: true })
    return writes
  }

  #isPrepared(cpuset: string): boolean {
    // Read once for as long as it is the same directory: nobody takes the setting back.
    const identity = statSync(cpuset, { throwIfNoEntry: false })
    if (identity === undefined) return false
    const { ino, ctimeMs } = identity
    if (this.#prepared.get(cpuset) === `${ino} ${ctimeMs}`) return true
    if (read(`${cpuset}/cgroup.clone_children`) !== '1') return false
    this.#prepared.set(cpuset, `${ino} ${ctimeMs}`)
    return true
  }

  readonly #hasFile = (controller: V1Controller, file: string): boolean => {
    const root = this.#mounts.get(controller)
    if (root === undefined) return false
    const known = this.#files.has(file) || existsSync(`${root}/${file}`) || isInChild(root, file)
    if (known) this.#files.add(file)
    return known
  }

  readonly #capabilities: Capabilities = {
    has: (limit) => {
      const needed = neededFiles[limit]
      return needed.some(([controller, file]) =>
        file === null ? this.#mounts.has(controller) : this.#hasFile(controller, file),
      )
    },
    cpus: () => read(`${this.#mounts.get('cpuset')}/cpuset.cpus`) ?? '',
    mems: () => read(`${this.#mounts.get('cpuset')}/cpuset.mems`) ?? '',
  }
}

/** A few files exist in every cgroup but the root: one that is made for the question has them. */
function isInChild(root: string, file: string): boolean {
  const probe = `${root}/jubako-probe-${process.pid}`
  make(probe)
  try {
    return existsSync(`${probe}/${file}`)
  } finally {
    removeTree(probe)
  }
}

/** For each limit the files of which one must exist; null: the controller is enough. */
const neededFiles: Record<Parameters<Capabilities['has']>[0], [V1Controller, string | null][]> = {
  memory: [['memory', null]],
  memorySwap: [['memory', 'memory.memsw.limit_in_bytes']],
  memoryReservation: [['memory', 'memory.soft_limit_in_bytes']],
  memorySwappiness: [['memory', 'memory.swappiness']],
  oomKillDisable: [['memory', 'memory.oom_control']],
  pidsLimit: [['pids', null]],
  cpuShares: [['cpu', 'cpu.shares']],
  cpuQuota: [['cpu', 'cpu.cfs_quota_us']],
  cpusetCpus: [['cpuset', null]],
  blkioWeight: [
    ['blkio', 'blkio.weight'],
    ['blkio', 'blkio.bfq.weight'],
  ],
  blkioWeightDevice: [
    ['blkio', 'blkio.weight_device'],
    ['blkio', 'blkio.bfq.weight_device'],
  ],
  deviceReadBps: [['blkio', 'blkio.throttle.read_bps_device']],
  deviceWriteBps: [['blkio', 'blkio.throttle.write_bps_device']],
  deviceReadIops: [['blkio', 'blkio.throttle.read_iops_device']],
  deviceWriteIops: [['blkio', 'blkio.throttle.write_iops_device']],
}
