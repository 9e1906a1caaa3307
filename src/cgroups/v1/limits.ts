import { deviceNumber } from '../check.js'
import type { V1Controller } from '../mounts.js'
import type { CgroupWrite, Resources } from '../types.js'

type Emit = (controller: V1Controller, file: string, value: string | number, required?: boolean) => void
type Limit = (r: Resources, emit: Emit, hasFile: (controller: V1Controller, file: string) => boolean) => void

const memory: Limit = (r, emit, hasFile) => {
  const limit = (): void => {
    if (r.memory !== undefined) emit('memory', 'memory.limit_in_bytes', r.memory)
  }
  limit()
  // Of memory and memory+swap, the kernel keeps the first the smaller at every moment: a new cgroup has no limit, so memory
  // comes first.
  if (r.memorySwap !== undefined && hasFile('memory', 'memory.memsw.limit_in_bytes'))
    emit('memory', 'memory.memsw.limit_in_bytes', r.memorySwap)
  if (r.memoryReservation !== undefined) emit('memory', 'memory.soft_limit_in_bytes', r.memoryReservation)
  if (r.memorySwappiness !== undefined) emit('memory', 'memory.swappiness', r.memorySwappiness)
  if (r.oomKillDisable !== undefined) emit('memory', 'memory.oom_control', r.oomKillDisable ? 1 : 0)
}

const cpu: Limit = (r, emit) => {
  if (r.cpuShares !== undefined) emit('cpu', 'cpu.shares', r.cpuShares)
  if (r.cpus !== undefined) {
    emit('cpu', 'cpu.cfs_period_us', 100_000)
    emit('cpu', 'cpu.cfs_quota_us', Math.floor(r.cpus * 100_000))
  }
  if (r.cpuPeriod !== undefined) emit('cpu', 'cpu.cfs_period_us', r.cpuPeriod)
  if (r.cpuQuota !== undefined) emit('cpu', 'cpu.cfs_quota_us', r.cpuQuota)
  if (r.cpusetCpus !== undefined) emit('cpuset', 'cpuset.cpus', r.cpusetCpus)
  if (r.cpusetMems !== undefined) emit('cpuset', 'cpuset.mems', r.cpusetMems)
}

const pids: Limit = (r, emit) => {
  if (r.pidsLimit !== undefined) emit('pids', 'pids.max', r.pidsLimit > 0 ? r.pidsLimit : 'max')
}

const throttleFiles = {
  deviceReadBps: 'blkio.throttle.read_bps_device',
  deviceWriteBps: 'blkio.throttle.write_bps_device',
  deviceReadIops: 'blkio.throttle.read_iops_device',
  deviceWriteIops: 'blkio.throttle.write_iops_device',
} as const

const blkio: Limit = (r, emit, hasFile) => {
  // blkio.weight went with the CFQ scheduler in Linux 5.0; BFQ's has the same range.
  const weightFile = (): string => (hasFile('blkio', 'blkio.weight') ? 'blkio.weight' : 'blkio.bfq.weight')
  if (r.blkioWeight !== undefined) emit('blkio', weightFile(), r.blkioWeight)
  for (const { path, weight } of r.blkioWeightDevice ?? [])
    emit('blkio', `${weightFile()}_device`, `${deviceNumber(path)} ${weight}`)
  for (const key of Object.keys(throttleFiles) as (keyof typeof throttleFiles)[])
    for (const { path, rate } of r[key] ?? []) emit('blkio', throttleFiles[key], `${deviceNumber(path)} ${rate}`)
}

/** The writes that make `resources` hold in a new cgroup; `directory` gives each controller's. */
export function limitWrites(
  resources: Resources,
  directory: (controller: V1Controller) => string,
  hasFile: (controller: V1Controller, file: string) => boolean,
): CgroupWrite[] {
  const writes: CgroupWrite[] = []
  const emit: Emit = (controller, file, value, required = true) => {
    writes.push({ path: `${directory(controller)}/${file}`, value: String(value), required })
  }
  for (const limit of [memory, cpu, pids, blkio]) limit(resources, emit, hasFile)
  return writes
}
