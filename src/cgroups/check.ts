import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { invalidArgument } from '../errors/index.js'
import { errnoOf } from './files.js'
import { parseList } from './ranges.js'
import type { CheckedResources, Resources } from './types.js'

/** What a driver found out about its host; each is asked only when a limit needs it. */
export interface Capabilities {
  has(limit: keyof typeof discarded): boolean
  /** List of usable CPUs and memory nodes, for example `0-3`. */
  cpus(): string
  mems(): string
}

/** Docker keeps room for what a container needs to start at all. */
const minimumMemory = 6 * 1024 * 1024

/** Limits a kernel may lack, and what Docker says when it leaves one out. */
export const discarded = {
  memory: 'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
  memorySwap:
    'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
  memoryReservation:
    'Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.',
  memorySwappiness:
    'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
  oomKillDisable: 'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
  pidsLimit: 'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.',
  cpuShares: 'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.',
  cpuQuota: 'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
  cpusetCpus: 'Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.',
  blkioWeight: 'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
  blkioWeightDevice:
    'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
  deviceReadBps:
    'Your kernel does not support BPS Block I/O read limit or the cgroup is not mounted. Block I/O BPS read limit discarded.',
  deviceWriteBps:
    'Your kernel does not support BPS Block I/O write limit or the cgroup is not mounted. Block I/O BPS write limit discarded.',
  deviceReadIops:
    'Your kernel does not support IOPS Block read limit or the cgroup is not mounted. Block I/O IOPS read limit discarded.',
  deviceWriteIops:
    'Your kernel does not support IOPS Block write limit or the cgroup is not mounted. Block I/O IOPS write limit discarded.',
} as const

type Check = (r: Resources, host: Capabilities, warnings: string[]) => void

/** Removes the keys with their warning unless the host has the limit. False: removed. */
function keep(
  r: Resources,
  host: Capabilities,
  warnings: string[],
  limit: keyof typeof discarded,
  ...keys: (keyof Resources)[]
): boolean {
  if (host.has(limit)) return true
  for (const key of [limit, ...keys]) delete r[key]
  warnings.push(discarded[limit])
  return false
}

const integer = (value: number, name: string): void => {
  if (!Number.isSafeInteger(value)) throw invalidArgument(`${name} must be a whole number, not ${value}`)
}

const memory: Check = (r, host, warnings) => {
  for (const key of ['memory', 'memorySwap', 'memoryReservation', 'memorySwappiness'] as const)
    if (r[key] !== undefined) integer(r[key], key)
  if (r.memory !== undefined && r.memory < minimumMemory) throw invalidArgument('Minimum memory limit allowed is 6MB')
  if (r.memory !== undefined) keep(r, host, warnings, 'memory', 'memorySwap')
  if (r.memory !== undefined && r.memorySwap !== -1 && !host.has('memorySwap')) {
    r.memorySwap = -1
    warnings.push(discarded.memorySwap)
  }
  if (r.memorySwap !== undefined && r.memorySwap < -1)
    throw invalidArgument(`invalid memory swap limit ${r.memorySwap}`)
  if (r.memory !== undefined && r.memorySwap !== undefined && r.memorySwap > 0 && r.memorySwap < r.memory)
    throw invalidArgument('Minimum memoryswap limit should be larger than memory limit, see usage')
  if (r.memorySwappiness !== undefined && keep(r, host, warnings, 'memorySwappiness')) {
    if (r.memorySwappiness < 0 || r.memorySwappiness > 100)
      throw invalidArgument(`Invalid value: ${r.memorySwappiness}, valid memory swappiness range is 0-100`)
  }
  if (r.memoryReservation !== undefined && keep(r, host, warnings, 'memoryReservation')) {
    if (r.memoryReservation < minimumMemory) throw invalidArgument('Minimum memory reservation allowed is 6MB')
    if (r.memory !== undefined && r.memory < r.memoryReservation)
      throw invalidArgument('Minimum memory limit can not be less than memory reservation limit, see usage')
  }
  if (r.oomKillDisable && keep(r, host, warnings, 'oomKillDisable') && r.memory === undefined)
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    )
}

const pids: Check = (r, host, warnings) => {
  if (r.pidsLimit === undefined) return
  integer(r.pidsLimit, 'pidsLimit')
  if (host.has('pidsLimit')) return
  if (r.pidsLimit > 0) warnings.push(discarded.pidsLimit)
  delete r.pidsLimit
}

const cpu: Check = (r, host, warnings) => {
  for (const key of ['cpuPeriod', 'cpuQuota', 'cpuShares'] as const) if (r[key] !== undefined) integer(r[key], key)
  if (r.cpus !== undefined) {
    if (r.cpuPeriod) throw invalidArgument('Conflicting options: Nano CPUs and CPU Period cannot both be set')
    if (r.cpuQuota) throw invalidArgument('Conflicting options: Nano CPUs and CPU Quota cannot both be set')
    if (!host.has('cpuQuota'))
      throw invalidArgument(
        'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted',
      )
    const online = usableCpus()
    // 0.01 is a quota of 1 ms, the kernel's least, in our period of 100 ms.
    if (!(r.cpus >= 0.01 && r.cpus <= online))
      throw invalidArgument(`Range of CPUs is from 0.01 to ${online}.00, as there are only ${online} CPUs available`)
  }
  if (r.cpuShares !== undefined && keep(r, host, warnings, 'cpuShares')) {
    if (r.cpuShares < 0) throw invalidArgument('shares: invalid argument')
    if (r.cpuShares < 2) throw invalidArgument('the minimum allowed cpu-shares is 2')
    if (r.cpuShares > 262144) throw invalidArgument('the maximum allowed cpu-shares is 262144')
  }
  if ((r.cpuPeriod !== undefined || r.cpuQuota !== undefined) && keep(r, host, warnings, 'cpuQuota', 'cpuPeriod')) {
    if (r.cpuPeriod !== undefined && (r.cpuPeriod < 1000 || r.cpuPeriod > 1_000_000))
      throw invalidArgument('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)')
    if (r.cpuQuota !== undefined && r.cpuQuota > 0 && r.cpuQuota < 1000)
      throw invalidArgument('CPU cfs quota can not be less than 1ms (i.e. 1000)')
  }
}

/** CPUs this process may run on; what Docker counts too. */
const usableCpus = (): number => availableParallelism()

function available(wanted: string, having: string, kind: string, what: string): void {
  const numbers = parseList(wanted)
  if (numbers === null) throw invalidArgument(`Invalid value ${wanted} for ${kind}: invalid format: ${wanted}`)
  const usable = parseList(having)
  if (usable !== null && [...numbers].some((n) => !usable.has(n)))
    throw invalidArgument(`Requested ${what} are not available - requested ${wanted}, available: ${having}`)
}

const cpuset: Check = (r, host, warnings) => {
  if (r.cpusetCpus === undefined && r.cpusetMems === undefined) return
  if (!keep(r, host, warnings, 'cpusetCpus', 'cpusetMems')) return
  if (r.cpusetCpus !== undefined) available(r.cpusetCpus, host.cpus(), 'cpuset cpus', 'CPUs')
  if (r.cpusetMems !== undefined) available(r.cpusetMems, host.mems(), 'cpuset mems', 'memory nodes')
}

const weightInRange = (weight: number): void => {
  integer(weight, 'blkio weight')
  if (weight < 10 || weight > 1000) throw invalidArgument('Range of blkio weight is from 10 to 1000')
}

const throttles = ['deviceReadBps', 'deviceWriteBps', 'deviceReadIops', 'deviceWriteIops'] as const

const blkio: Check = (r, host, warnings) => {
  if (r.blkioWeight !== undefined && keep(r, host, warnings, 'blkioWeight')) weightInRange(r.blkioWeight)
  if (r.blkioWeightDevice !== undefined && keep(r, host, warnings, 'blkioWeightDevice'))
    for (const { path, weight } of r.blkioWeightDevice) {
      weightInRange(weight)
      deviceNumber(path)
    }
  for (const key of throttles) {
    if (r[key] === undefined || !keep(r, host, warnings, key)) continue
    for (const { path, rate } of r[key]) {
      integer(rate, `rate of ${path}`)
      if (rate < 0) throw invalidArgument(`invalid rate for device: ${path}:${rate}`)
      deviceNumber(path)
    }
  }
}

/**
 * `major:minor` of a whole block device, as the block controllers take it.
 *
 * @throws {@link JubakoError} ERR_JUBAKO_INVALID_ARGUMENT for a path that is none.
 */
export function deviceNumber(path: string): string {
  const number = blockDevice(path)
  const partition = statSync(`/sys/dev/block/${number}/partition`, { throwIfNoEntry: false })
  if (partition !== undefined)
    throw invalidArgument(`${path} is a partition: the kernel limits whole disks only`, { path, hint: 'name the disk' })
  return number
}

function blockDevice(path: string): string {
  try {
    const stat = statSync(path)
    if (!stat.isBlockDevice()) throw invalidArgument(`${path} is not a block device`, { path })
    return `${major(stat.rdev)}:${minor(stat.rdev)}`
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw invalidArgument(`stat ${path}: no such file or directory`, { path })
    throw error
  }
}

// makedev(3): the numbers are interleaved. Node gives a double, so no 32-bit shifts for the high part.
const major = (device: number): number => (Math.floor(device / 256) & 0xfff) | (Math.floor(device / 2 ** 44) << 12)
const minor = (device: number): number => (device & 0xff) | (Math.floor(device / 2 ** 12) & 0xffffff00)

/** Keys whose empty or zero value means "not given", as in Docker's API. */
const zeroIsUnset = [
  'memory',
  'memorySwap',
  'memoryReservation',
  'cpus',
  'cpuPeriod',
  'cpuQuota',
  'cpuShares',
  'blkioWeight',
] as const

/** Removes what means "not given". */
function given(resources: Resources): Resources {
  const r: Resources = { ...resources }
  for (const key of zeroIsUnset) if (!r[key]) delete r[key]
  // -1 is "unset" in Docker's API.
  if (r.memorySwappiness === -1) delete r.memorySwappiness
  for (const key of ['cpusetCpus', 'cpusetMems'] as const) if (!r[key]) delete r[key]
  for (const key of [...throttles, 'blkioWeightDevice'] as const) if (!r[key]?.length) delete r[key]
  for (const key of Object.keys(r) as (keyof Resources)[]) if (r[key] === undefined) delete r[key]
  return r
}

const checks = [memory, pids, cpu, cpuset, blkio]

/** Checks limits as Docker does and leaves out, with a warning, what the host cannot do. */
export function checkResources(resources: Resources, host: Capabilities): CheckedResources {
  const r = given(resources)
  const warnings: string[] = []
  for (const check of checks) check(r, host, warnings)
  return { resources: r, warnings }
}

/** At creation only: a swap limit alone says nothing, and memory brings the same again of swap. */
export function completeResources(checked: CheckedResources): CheckedResources {
  const r = checked.resources
  if (r.memory === undefined && r.memorySwap !== undefined && r.memorySwap > 0)
    throw invalidArgument('You should always set the Memory limit when using Memoryswap limit, see usage')
  if (r.memory !== undefined && r.memorySwap === undefined) r.memorySwap = r.memory * 2
  return checked
}
