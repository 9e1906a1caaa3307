import { count, keyed, read } from '../files.js'
import type { V1Controller } from '../mounts.js'
import type { CgroupStats } from '../types.js'

/** `memory.limit_in_bytes` of an unlimited cgroup is LONG_MAX rounded down to a page; no machine has that much. */
const unlimited = 2 ** 62

/** cpuacct.stat counts in USER_HZ, which is 100 on every architecture Node runs on. */
const nsPerTick = 1e7

type Directory = (controller: V1Controller) => string | undefined

function cpu(directory: Directory): CgroupStats['cpu'] {
  const accounting = directory('cpuacct')
  const ticks = accounting === undefined ? new Map<string, number>() : keyed(`${accounting}/cpuacct.stat`)
  const scheduler = directory('cpu')
  const bandwidth = scheduler === undefined ? new Map<string, number>() : keyed(`${scheduler}/cpu.stat`)
  return {
    usageNs: accounting === undefined ? 0 : count(`${accounting}/cpuacct.usage`),
    userNs: (ticks.get('user') ?? 0) * nsPerTick,
    systemNs: (ticks.get('system') ?? 0) * nsPerTick,
    periods: bandwidth.get('nr_periods') ?? 0,
    throttledPeriods: bandwidth.get('nr_throttled') ?? 0,
    throttledNs: bandwidth.get('throttled_time') ?? 0,
  }
}

function memory(directory: string | undefined): CgroupStats['memory'] {
  if (directory === undefined) return { usage: 0, limit: null, rss: 0, cache: 0, swap: 0, oomKills: 0 }
  const stat = keyed(`${directory}/memory.stat`)
  const of = (key: string): number => stat.get(`total_${key}`) ?? stat.get(key) ?? 0
  const limit = count(`${directory}/memory.limit_in_bytes`)
  return {
    usage: Math.max(0, count(`${directory}/memory.usage_in_bytes`) - of('inactive_file')),
    limit: limit >= unlimited ? null : limit,
    rss: of('rss'),
    cache: of('cache'),
    swap: of('swap'),
    oomKills: oomKills(directory),
  }
}

/** Processes the OOM killer took; 0 before Linux 4.13. */
export const oomKills = (memory: string): number => keyed(`${memory}/memory.oom_control`).get('oom_kill') ?? 0

/** Sums of the `major:minor Read n` and `Write n` lines. */
function readsAndWrites(text: string | null): [number, number] {
  let reads = 0
  let writes = 0
  for (const line of text?.split('\n') ?? []) {
    const [, operation, n] = line.split(' ')
    if (operation === 'Read') reads += Number(n)
    if (operation === 'Write') writes += Number(n)
  }
  return [reads, writes]
}

function blkio(directory: string | undefined): CgroupStats['blkio'] {
  if (directory === undefined) return { readBytes: 0, writeBytes: 0, readOps: 0, writeOps: 0 }
  const file = (name: string): string | null =>
    read(`${directory}/blkio.throttle.${name}_recursive`) ?? read(`${directory}/blkio.throttle.${name}`)
  const [readBytes, writeBytes] = readsAndWrites(file('io_service_bytes'))
  const [readOps, writeOps] = readsAndWrites(file('io_serviced'))
  return { readBytes, writeBytes, readOps, writeOps }
}

function pids(directory: string | undefined): CgroupStats['pids'] {
  if (directory === undefined) return { current: 0, limit: null }
  const limit = read(`${directory}/pids.max`)
  return {
    current: count(`${directory}/pids.current`),
    limit: limit === null || limit === 'max' ? null : Number(limit),
  }
}

/** A sample from the v1 controllers' files. */
export const readStats = (directory: Directory): CgroupStats => ({
  readAt: Date.now(),
  cpu: cpu(directory),
  memory: memory(directory('memory')),
  pids: pids(directory('pids')),
  blkio: blkio(directory('blkio')),
})
