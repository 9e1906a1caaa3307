import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import type { ContainerStats } from '../../engine/types.js'
import type { Call } from '../call.js'

const ZERO_TIME = '0001-01-01T00:00:00Z'
const NS_PER_TICK = 10_000_000

/** CPU time of the whole machine, idle included, in nanoseconds: the first line of proc_stat(5). */
function systemCpuUsage(): number {
  const words = readFileSync('/proc/stat', 'latin1').slice(5).split('\n', 1)[0]!.trim().split(/\s+/)
  // The guests' time is in the users' already.
  return words.slice(0, 8).reduce((sum, ticks) => sum + Number(ticks), 0) * NS_PER_TICK
}

interface Sample {
  stats: ContainerStats
  system: number
}

const cpuStats = ({ stats: { cpu }, system }: Sample): Record<string, unknown> => ({
  cpu_usage: { total_usage: cpu.usageNs, usage_in_kernelmode: cpu.systemNs, usage_in_usermode: cpu.userNs },
  system_cpu_usage: system,
  online_cpus: availableParallelism(),
  throttling_data: {
    periods: cpu.periods,
    throttled_periods: cpu.throttledPeriods,
    throttled_time: cpu.throttledNs,
  },
})

const NO_CPU = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
}

function shape(id: string, name: string, sample: Sample | undefined, before: Sample | undefined) {
  const head = {
    id,
    name: `/${name}`,
    read: sample === undefined ? ZERO_TIME : new Date(sample.stats.readAt).toISOString(),
    preread: before === undefined ? ZERO_TIME : new Date(before.stats.readAt).toISOString(),
    num_procs: 0,
    storage_stats: {},
  }
  if (sample === undefined) {
    const none = { pids_stats: {}, blkio_stats: {}, cpu_stats: NO_CPU, precpu_stats: NO_CPU, memory_stats: {} }
    return { ...head, ...none }
  }
  const { memory, pids, blkio, network } = sample.stats
  const operations = (read: number, write: number) => [
    { major: 0, minor: 0, op: 'Read', value: read },
    { major: 0, minor: 0, op: 'Write', value: write },
  ]
  return {
    ...head,
    pids_stats: { current: pids.current, ...(pids.limit !== null && { limit: pids.limit }) },
    blkio_stats: {
      io_service_bytes_recursive: operations(blkio.readBytes, blkio.writeBytes),
      io_serviced_recursive: operations(blkio.readOps, blkio.writeOps),
      io_queue_recursive: null,
      io_service_time_recursive: null,
      io_wait_time_recursive: null,
      io_merged_recursive: null,
      io_time_recursive: null,
      sectors_recursive: null,
    },
    cpu_stats: cpuStats(sample),
    precpu_stats: before === undefined ? NO_CPU : cpuStats(before),
    memory_stats: {
      // Clients take the inactive page cache off: our number is without it.
      usage: memory.usage,
      limit: memory.limit ?? totalmem(),
      stats: { rss: memory.rss, cache: memory.cache, swap: memory.swap, inactive_file: 0, total_inactive_file: 0 },
    },
    networks: Object.fromEntries(
      Object.entries(network).map(([name, it]) => [
        name,
        {
          rx_bytes: it.rxBytes,
          rx_packets: it.rxPackets,
          rx_errors: 0,
          rx_dropped: 0,
          tx_bytes: it.txBytes,
          tx_packets: it.txPackets,
          tx_errors: 0,
          tx_dropped: 0,
        },
      ]),
    ),
  }
}

const second = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, 1000)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })

export async function containerStats(call: Call): Promise<void> {
  const { query, reply, signal } = call
  const container = await call.resident.container(call.params.id!)
  const sample = async (): Promise<Sample | undefined> => {
    const { state } = await container.summary()
    if (state !== 'running' && state !== 'paused') return undefined
    return container.stats().then(
      (stats) => ({ stats, system: systemCpuUsage() }),
      () => undefined,
    )
  }
  const stream = query.bool('stream', true)
  let before: Sample | undefined
  if (!stream) {
    // Without one-shot there is a second sample, so that the client has something to compare with.
    if (!query.bool('one-shot')) {
      before = await sample()
      if (before !== undefined) await second(signal)
    }
    await reply.json(200, shape(container.id, container.name, await sample(), before))
    return
  }
  await reply.start(200, { 'Content-Type': 'application/json' })
  while (!signal.aborted) {
    const now = await sample().catch(() => null)
    if (now === null) break
    if (!(await reply.write(`${JSON.stringify(shape(container.id, container.name, now, before))}\n`))) break
    before = now
    await second(signal)
  }
}
