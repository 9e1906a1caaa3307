import { deviceNumber } from '../check.js'
import type { CgroupWrite, Resources } from '../types.js'
import { blkioToIoWeight, sharesToWeight } from '../weights.js'

type Emit = (file: string, value: string | number) => void
type HasFile = (file: string) => boolean
type Limit = (r: Resources, emit: Emit, hasFile: HasFile) => void

const memory: Limit = (r, emit, hasFile) => {
  if (r.memory !== undefined) emit('memory.max', r.memory)
  if (r.memorySwap !== undefined && hasFile('memory.swap.max'))
    emit('memory.swap.max', r.memorySwap === -1 ? 'max' : r.memorySwap - (r.memory ?? 0))
  if (r.memoryReservation !== undefined) emit('memory.low', r.memoryReservation)
}

const cpu: Limit = (r, emit) => {
  if (r.cpuShares !== undefined) emit('cpu.weight', sharesToWeight(r.cpuShares))
  if (r.cpus !== undefined) emit('cpu.max', `${Math.floor(r.cpus * 100_000)} 100000`)
  const quota = r.cpuQuota !== undefined && r.cpuQuota > 0 ? r.cpuQuota : 'max'
  if (r.cpuPeriod !== undefined || r.cpuQuota !== undefined) emit('cpu.max', `${quota} ${r.cpuPeriod ?? 100_000}`)
  if (r.cpusetCpus !== undefined) emit('cpuset.cpus', r.cpusetCpus)
  if (r.cpusetMems !== undefined) emit('cpuset.mems', r.cpusetMems)
}

const pids: Limit = (r, emit) => {
  if (r.pidsLimit !== undefined) emit('pids.max', r.pidsLimit > 0 ? r.pidsLimit : 'max')
}

const throttleKeys = {
  deviceReadBps: 'rbps',
  deviceWriteBps: 'wbps',
  deviceReadIops: 'riops',
  deviceWriteIops: 'wiops',
} as const

const io: Limit = (r, emit, hasFile) => {
  const weight = (subject: string, value: number): void => {
    // BFQ has its own file with blkio's range; io.weight is io.cost's.
    if (hasFile('io.bfq.weight')) emit('io.bfq.weight', `${subject} ${value}`)
    else emit('io.weight', `${subject} ${blkioToIoWeight(value)}`)
  }
  if (r.blkioWeight !== undefined) weight('default', r.blkioWeight)
  for (const device of r.blkioWeightDevice ?? []) weight(deviceNumber(device.path), device.weight)
  for (const key of Object.keys(throttleKeys) as (keyof typeof throttleKeys)[])
    for (const { path, rate } of r[key] ?? [])
      emit('io.max', `${deviceNumber(path)} ${throttleKeys[key]}=${rate === 0 ? 'max' : rate}`)
}

/** The writes that make `resources` hold in a cgroup. */
export function limitWrites(resources: Resources, directory: string, hasFile: HasFile): CgroupWrite[] {
  const writes: CgroupWrite[] = []
  const emit: Emit = (file, value) => {
    writes.push({ path: `${directory}/${file}`, value: String(value), required: true })
  }
  for (const limit of [memory, cpu, pids, io]) limit(resources, emit, hasFile)
  return writes
}
