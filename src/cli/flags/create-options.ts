import { readFileSync } from 'node:fs'
import type { NetworkAttachment, PortOption } from '../../engine/network-types.js'
import type {
  CreateOptions,
  DeviceOption,
  MountOption,
  RestartPolicy,
  ThrottleOption,
  UlimitOption,
} from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { parseKeyValueFile } from '../values/env.js'
import { healthOptions } from './health-options.js'
import type { ParsedArgs } from './parse.js'

type Pair = [key: string, value: string]
type Text = keyof CreateOptions

/** Flags whose value goes into the option as it is. */
const PLAIN: readonly (readonly [flag: string, option: Text])[] = [
  ['blkio-weight', 'blkioWeight'],
  ['cgroup-parent', 'cgroupParent'],
  ['cgroupns', 'cgroupns'],
  ['cpu-period', 'cpuPeriod'],
  ['cpu-quota', 'cpuQuota'],
  ['cpu-shares', 'cpuShares'],
  ['cpus', 'cpus'],
  ['cpuset-cpus', 'cpusetCpus'],
  ['cpuset-mems', 'cpusetMems'],
  ['domainname', 'domainname'],
  ['hostname', 'hostname'],
  ['init', 'init'],
  ['ip', 'ip'],
  ['ip6', 'ip6'],
  ['mac-address', 'macAddress'],
  ['publish-all', 'publishAll'],
  ['interactive', 'stdin'],
  ['ipc', 'ipc'],
  ['log-driver', 'logDriver'],
  ['memory', 'memory'],
  ['memory-reservation', 'memoryReservation'],
  ['memory-swap', 'memorySwap'],
  ['name', 'name'],
  ['oom-kill-disable', 'oomKillDisable'],
  ['oom-score-adj', 'oomScoreAdj'],
  ['pid', 'pid'],
  ['pids-limit', 'pidsLimit'],
  ['platform', 'platform'],
  ['privileged', 'privileged'],
  ['read-only', 'readonlyRootfs'],
  ['shm-size', 'shmSize'],
  ['stop-signal', 'stopSignal'],
  ['stop-timeout', 'stopTimeout'],
  ['tty', 'tty'],
  ['user', 'user'],
  ['userns', 'userns'],
  ['uts', 'uts'],
  ['volume-driver', 'volumeDriver'],
  ['workdir', 'workdir'],
]

/** Repeated flags whose values make a list. */
const LISTS: readonly (readonly [flag: string, option: Text])[] = [
  ['add-host', 'addHosts'],
  ['blkio-weight-device', 'blkioWeightDevice'],
  ['cap-add', 'capAdd'],
  ['cap-drop', 'capDrop'],
  ['device-cgroup-rule', 'deviceCgroupRules'],
  ['dns', 'dns'],
  ['dns-option', 'dnsOptions'],
  ['dns-search', 'dnsSearch'],
  ['expose', 'expose'],
  ['group-add', 'groupAdd'],
  ['link', 'links'],
  ['network-alias', 'networkAliases'],
  ['security-opt', 'securityOpt'],
  ['volumes-from', 'volumesFrom'],
]

/** Repeated `key=value` flags. */
const MAPS: readonly (readonly [flag: string, option: Text])[] = [
  ['annotation', 'annotations'],
  ['log-opt', 'logOptions'],
  ['sysctl', 'sysctls'],
]

/** Flags whose empty or zero value means "not given". */
const ZERO_IS_UNSET = new Set(['', 0])

/** The options of a new container, from the flags of `run` or `create`. Reads `--env-file` and `--label-file`. */
export function createOptions(flags: ParsedArgs): CreateOptions {
  const options: Record<string, unknown> = {}
  for (const [flag, option] of PLAIN) {
    const value = (flags.string(flag) as unknown) ?? undefined
    if (value !== undefined && !ZERO_IS_UNSET.has(value as string)) options[option] = value
  }
  if (flags.number('oom-score-adj') === 0) options.oomScoreAdj = 0
  if (flags.number('stop-timeout') === 0) options.stopTimeout = 0
  const swappiness = flags.number('memory-swappiness')
  if (swappiness !== undefined && swappiness >= 0) options.memorySwappiness = swappiness
  for (const [flag, option] of LISTS) if (flags.has(flag)) options[option] = flags.list<unknown>(flag)
  for (const [flag, option] of MAPS) if (flags.has(flag)) options[option] = toRecord(flags.list<Pair>(flag))
  return { ...(options as CreateOptions), ...composed(flags) }
}

function composed(flags: ParsedArgs): CreateOptions {
  const options: CreateOptions = {}
  const mounts = [
    ...lastOfTarget(flags.list<MountOption>('volume')),
    ...flags.list<MountOption>('mount'),
    ...flags.list<MountOption>('tmpfs'),
  ]
  if (mounts.length > 0) options.mounts = mounts
  const env = environment(flags)
  if (env !== undefined) options.env = env
  const labels = [...fileLines(flags, 'label-file', () => ''), ...flags.list<Pair>('label')]
  if (labels.length > 0) options.labels = toRecord(labels)
  const entrypoint = flags.string('entrypoint')
  if (entrypoint !== undefined) options.entrypoint = entrypoint === '' ? [] : [entrypoint]
  const health = healthOptions(flags)
  if (health !== undefined) options.healthcheck = health
  const restart = flags.value<RestartPolicy>('restart')
  if (restart !== undefined) {
    if (flags.bool('rm') && restart.policy !== 'no') {
      throw new UsageError('conflicting options: cannot specify both --restart and --rm', flags.command, EXIT.engine)
    }
    options.restart = restart
  }
  const timeout = flags.number('timeout')
  if (timeout !== undefined && timeout !== 0) options.timeout = timeout
  const networks = flags.list<NetworkAttachment>('network')
  if (networks.length === 1 && Object.keys(networks[0]!).length === 1) options.network = networks[0]!.name
  else if (networks.length > 0) options.networks = networks
  const ports = flags.list<PortOption[]>('publish').flat()
  if (ports.length > 0) options.ports = ports
  if (flags.has('device')) options.devices = flags.list<DeviceOption>('device')
  if (flags.has('ulimit')) options.ulimits = flags.list<UlimitOption>('ulimit')
  for (const direction of ['read', 'write'] as const) {
    const name = direction === 'read' ? 'Read' : 'Write'
    const bps = flags.list<ThrottleOption>(`device-${direction}-bps`)
    const iops = flags.list<ThrottleOption>(`device-${direction}-iops`)
    if (bps.length > 0) options[`device${name}Bps`] = bps
    if (iops.length > 0) options[`device${name}Iops`] = iops
  }
  return options
}

/** `--env-file` first, then `--env`: the later value counts. Undefined without either. */
export function environment(flags: ParsedArgs): Record<string, string | undefined> | undefined {
  if (!flags.has('env') && !flags.has('env-file')) return undefined
  const fromFiles = fileLines(flags, 'env-file', (name) => process.env[name])
  return toRecord([...fromFiles, ...flags.list<[string, string | undefined]>('env')])
}

function fileLines(flags: ParsedArgs, flag: string, bare: (name: string) => string | undefined): Pair[] {
  return flags.list(flag).flatMap((path) => {
    try {
      return parseKeyValueFile(readFileSync(path), path, bare)
    } catch (error) {
      throw invalidArgument(`--${flag}: ${(error as Error).message}`, { path })
    }
  })
}

function toRecord<V>(pairs: readonly (readonly [string, V])[]): Record<string, V> {
  return Object.assign(Object.create(null), Object.fromEntries(pairs))
}

/** As docker has it: of several `-v` on one target the last counts; any other repetition is an error. */
function lastOfTarget(mounts: readonly MountOption[]): MountOption[] {
  return [...new Map(mounts.map((mount) => [mount.target, mount])).values()]
}
