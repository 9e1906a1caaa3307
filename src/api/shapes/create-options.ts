import type { CreateOptions, HealthOptions, RestartPolicy } from '../../engine/types.js'
import { ApiError, badRequest } from '../errors.js'
import type { Fields } from '../fields.js'
import { mounts } from './create-mounts.js'
import { networkOptions } from './create-network.js'

type Kind = 'string' | 'bool' | 'int' | 'strings' | 'map'
type Row = readonly [field: string, kind: Kind, option: keyof CreateOptions]

/** Fields of the configuration that become the option as they are. */
const CONFIG: readonly Row[] = [
  ['Hostname', 'string', 'hostname'],
  ['Domainname', 'string', 'domainname'],
  ['User', 'string', 'user'],
  ['Env', 'strings', 'env'],
  ['WorkingDir', 'string', 'workdir'],
  ['Labels', 'map', 'labels'],
  ['StopSignal', 'string', 'stopSignal'],
  ['Tty', 'bool', 'tty'],
  ['OpenStdin', 'bool', 'stdin'],
]

/** The same of the host configuration. */
const HOST: readonly Row[] = [
  ['Annotations', 'map', 'annotations'],
  ['AutoRemove', 'bool', 'autoRemove'],
  ['BlkioWeight', 'int', 'blkioWeight'],
  ['CapAdd', 'strings', 'capAdd'],
  ['CapDrop', 'strings', 'capDrop'],
  ['CgroupParent', 'string', 'cgroupParent'],
  ['CgroupnsMode', 'string', 'cgroupns'],
  ['CpuPeriod', 'int', 'cpuPeriod'],
  ['CpuQuota', 'int', 'cpuQuota'],
  ['CpuShares', 'int', 'cpuShares'],
  ['CpusetCpus', 'string', 'cpusetCpus'],
  ['CpusetMems', 'string', 'cpusetMems'],
  ['DeviceCgroupRules', 'strings', 'deviceCgroupRules'],
  ['Dns', 'strings', 'dns'],
  ['DnsOptions', 'strings', 'dnsOptions'],
  ['DnsSearch', 'strings', 'dnsSearch'],
  ['ExtraHosts', 'strings', 'addHosts'],
  ['GroupAdd', 'strings', 'groupAdd'],
  ['Init', 'bool', 'init'],
  ['IpcMode', 'string', 'ipc'],
  ['Memory', 'int', 'memory'],
  ['MemoryReservation', 'int', 'memoryReservation'],
  ['MemorySwap', 'int', 'memorySwap'],
  ['OomKillDisable', 'bool', 'oomKillDisable'],
  ['OomScoreAdj', 'int', 'oomScoreAdj'],
  ['PidMode', 'string', 'pid'],
  ['PidsLimit', 'int', 'pidsLimit'],
  ['Privileged', 'bool', 'privileged'],
  ['ReadonlyRootfs', 'bool', 'readonlyRootfs'],
  ['SecurityOpt', 'strings', 'securityOpt'],
  ['ShmSize', 'int', 'shmSize'],
  ['Sysctls', 'map', 'sysctls'],
  ['UTSMode', 'string', 'uts'],
  ['UsernsMode', 'string', 'userns'],
  ['VolumeDriver', 'string', 'volumeDriver'],
  ['VolumesFrom', 'strings', 'volumesFrom'],
]

/** Zero values mean "not given" in Docker's API. */
const isUnset = (value: unknown): boolean =>
  value === undefined || value === '' || value === 0 || (Array.isArray(value) && value.length === 0)

/** The fields of a table that were given, as options. */
export function pick(fields: Fields, rows: readonly Row[]): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [field, kind, option] of rows) {
    const value = fields[kind](field)
    if (!isUnset(value)) out[option] = value
  }
  return out
}

/** Limits, which `update` takes too. */
export const resourceRows = HOST.filter(([field]) => /^(Blkio|Cpu|Memory|PidsLimit|OomKillDisable)/.test(field))

/** What limits and rates are made of that is not in the tables. */
export function resources(host: Fields): Partial<CreateOptions> {
  const out: Partial<CreateOptions> = {}
  const nano = host.int('NanoCpus')
  if (nano !== undefined && nano !== 0) out.cpus = nano / 1e9
  const swappiness = host.int('MemorySwappiness')
  if (swappiness !== undefined && swappiness >= 0) out.memorySwappiness = swappiness
  const weights = host.list('BlkioWeightDevice')
  if (weights.length > 0) {
    out.blkioWeightDevice = weights.map((it) => ({ path: it.string('Path') ?? '', weight: it.int('Weight') ?? 0 }))
  }
  for (const [field, option] of THROTTLES) {
    const list = host.list(field)
    if (list.length > 0) out[option] = list.map((it) => ({ path: it.string('Path') ?? '', rate: it.int('Rate') ?? 0 }))
  }
  for (const field of ['CpuRealtimePeriod', 'CpuRealtimeRuntime']) {
    if (!isUnset(host.int(field))) throw badRequest('Your kernel does not support CPU real-time scheduler')
  }
  return out
}

const THROTTLES = [
  ['BlkioDeviceReadBps', 'deviceReadBps'],
  ['BlkioDeviceWriteBps', 'deviceWriteBps'],
  ['BlkioDeviceReadIOps', 'deviceReadIops'],
  ['BlkioDeviceWriteIOps', 'deviceWriteIops'],
] as const

/** What we have no counterpart of and may not pass over: the container would be another one than was asked for. */
function refuse(host: Fields): void {
  const present = (field: string): boolean => {
    const value = host.raw(field)
    if (value !== null && typeof value === 'object') return Object.keys(value).length > 0
    return !isUnset(value) && value !== false
  }
  if (present('DeviceRequests')) {
    throw new ApiError(500, 'could not select device driver: devices of drivers (GPUs) are not supported')
  }
  for (const [field, what] of [
    ['StorageOpt', '--storage-opt is supported only for overlay over xfs with pquota mount option'],
    ['Isolation', 'isolation is not supported on linux'],
  ] as const) {
    if (!present(field) || (field === 'Isolation' && host.string(field) === 'default')) continue
    throw badRequest(`invalid option: ${what}`)
  }
  const runtime = host.string('Runtime') ?? ''
  if (!['', 'jubako', 'runc', 'io.containerd.runc.v2'].includes(runtime)) {
    throw badRequest(`unknown or invalid runtime name: ${runtime}`)
  }
}

export interface CreateRequest {
  image: string
  command: string[]
  options: CreateOptions
  warnings: string[]
}

/** The body of `POST /containers/create` as the engine takes it. */
export function createRequest(body: Fields): CreateRequest {
  const host = body.fields('HostConfig')
  refuse(host)
  const options = {
    ...pick(body, CONFIG),
    ...pick(host, HOST),
    ...resources(host),
  } as CreateOptions
  const entrypoint = body.words('Entrypoint')
  if (entrypoint !== undefined && entrypoint.length > 0) {
    options.entrypoint = entrypoint.length === 1 && entrypoint[0] === '' ? [] : entrypoint
  }
  if (body.bool('OpenStdin')) options.stdinOnce = body.bool('StdinOnce') ?? false
  const stopTimeout = body.int('StopTimeout')
  if (stopTimeout !== undefined) options.stopTimeout = stopTimeout
  Object.assign(options, networkOptions(body, host))
  const all = mounts(body, host)
  if (all.length > 0) options.mounts = all
  const devices = host.list('Devices')
  if (devices.length > 0) {
    options.devices = devices.map((it) => {
      const [containerPath, permissions] = [it.string('PathInContainer'), it.string('CgroupPermissions')]
      return {
        hostPath: it.string('PathOnHost') ?? '',
        ...(containerPath && { containerPath }),
        ...(permissions && { permissions }),
      }
    })
  }
  const ulimits = host.list('Ulimits')
  if (ulimits.length > 0) {
    options.ulimits = ulimits.map((it) => ({
      name: it.string('Name') ?? '',
      soft: it.int('Soft') ?? 0,
      hard: it.int('Hard') ?? 0,
    }))
  }
  const restart = restartPolicy(host)
  if (restart !== undefined) options.restart = restart
  const healthcheck = health(body)
  if (healthcheck !== undefined) options.healthcheck = healthcheck
  const log = host.fields('LogConfig')
  const driver = log.string('Type') ?? ''
  if (driver !== '') options.logDriver = driver as NonNullable<CreateOptions['logDriver']>
  const logOptions = log.map('Config')
  if (logOptions !== undefined && Object.keys(logOptions).length > 0) options.logOptions = logOptions
  // Empty lists, unlike absent ones, open what is masked otherwise.
  if (host.strings('MaskedPaths')?.length === 0 && host.strings('ReadonlyPaths')?.length === 0) {
    options.securityOpt = [...(options.securityOpt ?? []), 'systempaths=unconfined']
  }
  return { image: body.string('Image') ?? '', command: body.words('Cmd') ?? [], options, warnings: [] }
}

const POLICIES = ['no', 'on-failure', 'always', 'unless-stopped'] as const

/** The restart policy of a host configuration or an update; undefined when none is given. */
export function restartPolicy(host: Fields): RestartPolicy | undefined {
  const fields = host.fields('RestartPolicy')
  const name = fields.string('Name') ?? ''
  const maxRetries = fields.int('MaximumRetryCount') ?? 0
  if (name === '' && maxRetries === 0) return undefined
  const policy = POLICIES.find((it) => it === name)
  if (policy === undefined) {
    throw badRequest(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    )
  }
  return { policy, ...(maxRetries !== 0 && { maxRetries }) }
}

const NS_PER_MS = 1e6

/** Docker counts nanoseconds; what is 0 is the image's. */
function health(body: Fields): HealthOptions | undefined {
  if (!body.has('Healthcheck')) return undefined
  const fields = body.fields('Healthcheck')
  const out: HealthOptions = {}
  const test = fields.strings('Test')
  if (test !== undefined && test.length > 0) out.test = test
  for (const [field, option] of [
    ['Interval', 'interval'],
    ['Timeout', 'timeout'],
    ['StartPeriod', 'startPeriod'],
    ['StartInterval', 'startInterval'],
  ] as const) {
    const value = fields.int(field) ?? 0
    if (value !== 0 && value < NS_PER_MS) throw badRequest(`${field} in Healthcheck cannot be less than 1ms`)
    if (value !== 0) out[option] = value / NS_PER_MS
  }
  const retries = fields.int('Retries') ?? 0
  if (retries < 0) throw badRequest('Retries in Healthcheck cannot be negative')
  if (retries > 0) out.retries = retries
  return out
}
