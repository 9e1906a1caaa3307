import { count, keyed, read } from '../files.js'
import type { CgroupStats } from '../types.js'

const limit = (path: string): number | null => {
  const text = read(path)
  return text === null || text === 'max' ? null : Number(text)
}

function cpu(directory: string): CgroupStats['cpu'] {
  const stat = keyed(`${directory}/cpu.stat`)
  const ns = (key: string): number => (stat.get(key) ?? 0) * 1000
  return {
    usageNs: ns('usage_usec'),
    userNs: ns('user_usec'),
    systemNs: ns('system_usec'),
    periods: stat.get('nr_periods') ?? 0,
    throttledPeriods: stat.get('nr_throttled') ?? 0,
    throttledNs: ns('throttled_usec'),
  }
}

function memory(directory: string): CgroupStats['memory'] {
  const stat = keyed(`${directory}/memory.stat`)
  const of = (key: string): number => stat.get(key) ?? 0
  return {
    usage: Math.max(0, count(`${directory}/memory.current`) - of('inactive_file')),
    limit: limit(`${directory}/memory.max`),
    rss: of('anon'),
    cache: of('file'),
    swap: count(`${directory}/memory.swap.current`),
    oomKills: oomKills(directory),
  }
}

/** Processes the OOM killer took here or below. */
export const oomKills = (directory: string): number => keyed(`${directory}/memory.events`).get('oom_kill') ?? 0

/** Sums over the devices of io.stat's `major:minor key=n ...` lines. */
function io(directory: string): CgroupStats['blkio'] {
  const sums: Record<string, number> = {}
  for (const pair of read(`${directory}/io.stat`)?.split(/\s+/) ?? []) {
    const [key, n] = pair.split('=')
    if (key !== undefined && n !== undefined) sums[key] = (sums[key] ?? 0) + Number(n)
  }
  return {
    readBytes: sums.rbytes ?? 0,
    writeBytes: sums.wbytes ?? 0,
    readOps: sums.rios ?? 0,
    writeOps: sums.wios ?? 0,
  }
}

/** A sample from the v2 interface files. */
export const readStats = (directory: string): CgroupStats => ({
  readAt: Date.now(),
  cpu: cpu(directory),
  memory: memory(directory),
  pids: { current: count(`${directory}/pids.current`), limit: limit(`${directory}/pids.max`) },
  blkio: io(directory),
})
