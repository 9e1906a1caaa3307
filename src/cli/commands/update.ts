import type { RestartPolicy, UpdateOptions } from '../../engine/types.js'
import { type Command, forEach } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import type { ParsedArgs } from '../flags/parse.js'
import type { FlagExtra } from '../flags/spec.js'
import { parseRestart } from '../values/words.js'

const realtime: FlagExtra = { status: 'refused', reason: 'real-time group scheduling has no controller in cgroup v2' }

/** Flags whose value is the option, unless it is zero: docker's "leave it". */
const PLAIN = [
  ['blkio-weight', 'blkioWeight'],
  ['cpu-period', 'cpuPeriod'],
  ['cpu-quota', 'cpuQuota'],
  ['cpu-shares', 'cpuShares'],
  ['cpus', 'cpus'],
  ['cpuset-cpus', 'cpusetCpus'],
  ['cpuset-mems', 'cpusetMems'],
  ['memory', 'memory'],
  ['memory-reservation', 'memoryReservation'],
  ['memory-swap', 'memorySwap'],
] as const

function updateOptions(flags: ParsedArgs): UpdateOptions {
  const options: Record<string, unknown> = {}
  for (const [flag, option] of PLAIN) {
    const value = flags.string(flag) as unknown
    if (value !== undefined && value !== '' && value !== 0) options[option] = value
  }
  const pids = flags.number('pids-limit')
  if (pids !== undefined) options.pidsLimit = pids
  const restart = flags.value<RestartPolicy>('restart')
  if (restart !== undefined) options.restart = restart
  return options
}

export const command: Command = {
  spec: {
    name: 'update',
    aliases: ['container update', 'update'],
    usage: '[OPTIONS] CONTAINER [CONTAINER...]',
    summary: 'Change limits and restart policy of containers, also while they run',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['', 'blkio-weight', 'uint16', 'Block I/O weight, 10 to 1000; 0 leaves it alone'],
      ['', 'cpu-period', 'int64', 'Length of a CFS period in microseconds'],
      ['', 'cpu-quota', 'int64', 'CPU time per CFS period in microseconds'],
      ['', 'cpu-rt-period', 'int64', 'Real-time period in microseconds', realtime],
      ['', 'cpu-rt-runtime', 'int64', 'Real-time runtime in microseconds', realtime],
      ['c', 'cpu-shares', 'int64', 'Relative share of CPU time (1024 is normal)'],
      ['', 'cpus', 'decimal', 'Number of CPUs, for example 1.5'],
      ['', 'cpuset-cpus', 'string', 'CPUs it may run on, for example 0-2,4'],
      ['', 'cpuset-mems', 'string', 'Memory nodes it may use, for example 0,1'],
      ['m', 'memory', 'bytes', 'Memory limit, at least 6m'],
      ['', 'memory-reservation', 'bytes', 'Soft memory limit'],
      ['', 'memory-swap', 'memory-swap', 'Limit of memory plus swap; -1 for unlimited swap'],
      ['', 'pids-limit', 'int64', 'Most processes and threads; -1 for no limit'],
      ['', 'restart', 'string', 'Restart policy', { parse: parseRestart }],
    ],
    examples: ['jubako update --memory 256m --cpus 1.5 web', 'jubako update --restart unless-stopped web'],
  },
  async run(flags, context) {
    const options = updateOptions(flags)
    if (Object.keys(options).length === 0) {
      throw new CodedError('you must provide one or more flags when using this command', EXIT.failure)
    }
    const engine = await context.engine()
    return forEach(flags.args, context, async (name) => {
      const warnings = await (await engine.container(name)).update(options)
      context.out.line(name)
      for (const warning of warnings) context.err.line(`WARNING: ${warning}`)
    })
  },
}
