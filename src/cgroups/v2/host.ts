import { existsSync } from 'node:fs'
import { JubakoError } from '../../errors/index.js'
import { allowsEverything, type DeviceRule } from '../../oci/devices.js'
import { type Capabilities, checkResources, completeResources } from '../check.js'
import { children, make, read } from '../files.js'
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
import { writeOrExplain } from '../unified.js'
import { V2Cgroup } from './cgroup.js'
import { limitWrites } from './limits.js'

/** Controllers every container gets: limits can be set and statistics read without asking first. */
const always = ['cpu', 'memory', 'pids', 'io']

/** Driver for a pure cgroup v2 host: one directory, controllers enabled in its ancestors. */
export class V2Host implements CgroupHost {
  readonly version = 2
  readonly controllers: readonly string[]

  constructor(private readonly root: string) {
    this.controllers = words(read(`${root}/cgroup.controllers`)).sort()
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
    const directory = this.root + path
    const { resources: limits, warnings } = completeResources(this.check(resources))
    return {
      version: 2,
      parents: ancestry(parent).map((ancestor) => this.root + ancestor),
      parentWrites: this.#enabling(parent, limits),
      directories: [directory],
      writes: limitWrites(limits, directory, (file) => this.#hasFile(file)),
      join: [],
      into: directory,
      deviceProgram: devices === null || allowsEverything(devices) ? null : compileDeviceProgram(devices),
      oom: this.controllers.includes('memory') ? { path: `${directory}/memory.events`, key: 'oom_kill' } : null,
      kill: { kind: 'cgroup.kill', path: `${directory}/cgroup.kill` },
      remove: [directory],
      path,
      warnings,
    }
  }

  open(id: string, placement?: CgroupPlacement): Cgroup {
    const parent = parentPath(placement)
    return new V2Cgroup(id, {
      directory: `${this.root}${parent}/${checkId(id)}`,
      check: (resources) => this.check(resources),
      enable: (resources) => {
        for (const { path, value } of this.#enabling(parent, resources)) writeOrExplain(path, value)
      },
    })
  }

  list(placement?: CgroupPlacement): string[] {
    return children(this.root + parentPath(placement)).sort()
  }

  /**
   * Writes that enable controllers for the children of `parent`, from the root down; none when they are enabled.
   *
   * cpuset only for who asks: every other container is spared its cost.
   *
   * @throws {@link JubakoError} ERR_JUBAKO_UNSUPPORTED when the root is no root and has processes of its own.
   */
  #enabling(parent: string, r: Resources): CgroupWrite[] {
    const cpuset = r.cpusetCpus !== undefined || r.cpusetMems !== undefined
    const wanted = [...always, ...(cpuset ? ['cpuset'] : [])].filter((name) => this.controllers.includes(name))
    const missing = (directory: string): string[] => {
      const enabled = words(read(`${directory}/cgroup.subtree_control`))
      return wanted.filter((name) => !enabled.includes(name))
    }
    // A controller is enabled in a child only if it is in all ancestors.
    if (missing(this.root + parent).length === 0) return []
    const writes: CgroupWrite[] = []
    for (const ancestor of ['', ...ancestry(parent)]) {
      const directory = this.root + ancestor
      const names = missing(directory)
      if (names.length > 0 && ancestor === '') this.#refuseInternalProcesses(names)
      for (const name of names)
        writes.push({ path: `${directory}/cgroup.subtree_control`, value: `+${name}`, required: true })
    }
    return writes
  }

  /**
   * In a container or a delegated subtree, "root" is a cgroup like any other: it cannot have processes and enabled
   * controllers at once (kernel documentation, cgroup-v2, "No Internal Process Constraint"). The true root has no
   * `cgroup.type`.
   */
  #refuseInternalProcesses(missing: string[]): void {
    if (!existsSync(`${this.root}/cgroup.type`) || !read(`${this.root}/cgroup.procs`)) return
    throw new JubakoError(
      'ERR_JUBAKO_UNSUPPORTED',
      `the cgroup controllers ${missing.join(', ')} cannot be enabled: ${this.root} is not the root of the hierarchy and has processes`,
      {
        path: this.root,
        hint: `move its processes into a child first: mkdir -p ${this.root}/init && while read -r pid; do echo $pid > ${this.root}/init/cgroup.procs; done < ${this.root}/cgroup.procs`,
      },
    )
  }

  /** The interface files exist in every cgroup but the root, so that our parent is asked. */
  #hasFile(file: string): boolean {
    const parent = this.root + parentPath(undefined)
    // A cgroup has a controller's files only once its parent enables it.
    const controller = file.slice(0, file.indexOf('.'))
    if (!this.controllers.includes(controller)) return false
    if (existsSync(`${parent}/${controller === 'io' ? 'io.stat' : `${controller}.max`}`))
      return existsSync(`${parent}/${file}`)
    make(parent)
    if (!words(read(`${this.root}/cgroup.subtree_control`)).includes(controller)) {
      this.#refuseInternalProcesses([controller])
      writeOrExplain(`${this.root}/cgroup.subtree_control`, `+${controller}`)
    }
    return existsSync(`${parent}/${file}`)
  }

  readonly #capabilities: Capabilities = {
    has: (limit) => {
      const needed = neededFiles[limit]
      return needed.some((name) => (name.includes('.') ? this.#hasFile(name) : this.controllers.includes(name)))
    },
    cpus: () => read(`${this.root}/cpuset.cpus.effective`) ?? '',
    mems: () => read(`${this.root}/cpuset.mems.effective`) ?? '',
  }
}

const words = (text: string | null): string[] => text?.split(' ').filter((word) => word !== '') ?? []

/** For each limit the controllers or files of which one must exist; none: v2 does not have it. */
const neededFiles: Record<Parameters<Capabilities['has']>[0], string[]> = {
  memory: ['memory'],
  memorySwap: ['memory.swap.max'],
  memoryReservation: ['memory'],
  memorySwappiness: [],
  oomKillDisable: [],
  pidsLimit: ['pids'],
  cpuShares: ['cpu'],
  cpuQuota: ['cpu'],
  cpusetCpus: ['cpuset'],
  blkioWeight: ['io.bfq.weight', 'io.weight'],
  blkioWeightDevice: ['io.bfq.weight', 'io.weight'],
  deviceReadBps: ['io.max'],
  deviceWriteBps: ['io.max'],
  deviceReadIops: ['io.max'],
  deviceWriteIops: ['io.max'],
}
