import { hostname as hostHostname } from 'node:os'
import { invalidArgument } from '../errors/index.js'
import type { ResolvedImage } from '../images/index.js'
import { randomHex } from '../native/index.js'
import { normaliseCapabilities } from '../oci/capabilities.js'
import { parseDeviceCgroupRule } from '../oci/devices.js'
import { type ContainerConfig, type ContainerMount, type NamespaceMode, rlimitNumbers } from '../runtime/index.js'
import { thisStartTime } from './boot.js'
import { healthConfig } from './health.js'
import { logConfig } from './log-options.js'
import { portRecord } from './network-config.js'
import { restartConfig } from './restart-policy.js'
import { parseSecurityOptions } from './security-options.js'
import { signalNumber } from './signals.js'
import type { CreateOptions, ResourceOptions } from './types.js'

/** What every container gets without asking. */
export const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const defaultShmSize = 64 * 2 ** 20

const envName = (entry: string): string => entry.slice(0, entry.includes('=') ? entry.indexOf('=') : entry.length)

function checkText(what: string, value: string): string {
  if (value.includes('\0')) throw invalidArgument(`${what} holds a NUL character`)
  return value
}

/** Later entries replace earlier ones of the same name, in the earlier one's place; a bare name removes it. */
function mergeEnv(image: readonly string[], options: CreateOptions, hostname: string): string[] {
  const given = options.env ?? []
  const entries = Array.isArray(given)
    ? given
    : Object.entries(given).map(([name, value]) => (value === undefined ? name : `${name}=${value}`))
  const merged = new Map<string, string>()
  const add = (entry: string) => merged.set(envName(entry), entry)
  add(defaultPath)
  add(`HOSTNAME=${hostname}`)
  if (options.tty) add('TERM=xterm')
  for (const entry of image) add(entry)
  for (const entry of entries) {
    checkText('an environment variable', entry)
    const name = envName(entry)
    if (name === '') throw invalidArgument(`invalid environment variable: ${entry}`)
    if (entry.includes('=')) add(entry)
    else merged.delete(name)
  }
  return [...merged.values()]
}

function command(image: ResolvedImage, given: readonly string[], options: CreateOptions) {
  const { Entrypoint = [], Cmd = [] } = image.config.config
  const entrypoint = options.entrypoint ?? Entrypoint
  // A new entrypoint makes the image's command meaningless.
  const rest = given.length > 0 ? [...given] : options.entrypoint === undefined ? Cmd : []
  if (entrypoint.length + rest.length === 0) {
    throw invalidArgument('no command specified', { hint: 'the image has none either: name one after the image' })
  }
  for (const argument of [...entrypoint, ...rest]) checkText('the command', argument)
  return { entrypoint: [...entrypoint], command: rest }
}

function namespace(what: string, value: string | undefined, allowed: readonly string[]): NamespaceMode {
  if (value === undefined || value === '' || value === 'private') return 'private'
  if (value === 'host' || value.startsWith('container:')) return value as NamespaceMode
  if (allowed.includes(value)) return 'private'
  throw invalidArgument(`invalid ${what} mode: ${value}`, { hint: 'use host or container:<name or id>' })
}

const hostnameForm = /^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$/

function hostname(id: string, network: string, options: CreateOptions): string {
  const name = options.hostname ?? (options.uts === 'host' || network === 'host' ? hostHostname() : id.slice(0, 12))
  if (name.length > 64 || !hostnameForm.test(name)) {
    throw invalidArgument(`invalid hostname: ${name}`, { hint: 'up to 64 letters, digits, "-", "_" and "."' })
  }
  return name
}

function restart(options: CreateOptions, { owned, autoRemove }: MergeContext): ContainerConfig['restart'] {
  const config = restartConfig(options.restart)
  if (config.policy === 'no') return config
  if (autoRemove && !owned) {
    throw invalidArgument("can't create 'AutoRemove' container with restart policy", {
      hint: 'a container that is started again cannot be removed when it ends: use one of the two',
    })
  }
  if (owned) throw invalidArgument('an owned container has no restart policy', { hint: 'use detached: true' })
  return config
}

function lifeLimit({ timeout = 0 }: CreateOptions): number {
  if (!(timeout >= 0 && timeout < 2 ** 31)) throw invalidArgument(`invalid timeout: ${timeout}`)
  return timeout
}

export const resourceKeys = [
  'memory',
  'memorySwap',
  'memoryReservation',
  'memorySwappiness',
  'cpus',
  'cpuPeriod',
  'cpuQuota',
  'cpuShares',
  'cpusetCpus',
  'cpusetMems',
  'pidsLimit',
  'blkioWeight',
  'blkioWeightDevice',
  'deviceReadBps',
  'deviceWriteBps',
  'deviceReadIops',
  'deviceWriteIops',
  'oomKillDisable',
] as const satisfies readonly (keyof ResourceOptions)[]

function resources(options: CreateOptions): ContainerConfig['resources'] {
  return Object.fromEntries(
    resourceKeys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  ) as ContainerConfig['resources']
}

/** Sysctls that have an own value in each namespace; all others would change the host. */
function sysctls(network: string, options: CreateOptions): Record<string, string> {
  const given = options.sysctls ?? {}
  const ipc = /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\..+)$/
  for (const [key, value] of Object.entries(given)) {
    const isNetwork = key.startsWith('net.')
    if (!/^[a-z0-9_.-]+$/i.test(key) || key.includes('..') || (!isNetwork && !ipc.test(key))) {
      throw invalidArgument(`sysctl '${key}' is not allowed`, {
        hint: 'only sysctls of the network (net.*) and ipc namespaces can differ between containers',
      })
    }
    if (isNetwork && network === 'host') {
      throw invalidArgument(`sysctl '${key}' not allowed in host network namespace`)
    }
    if (!isNetwork && options.ipc === 'host') throw invalidArgument(`sysctl '${key}' not allowed in host ipc namespace`)
    if (/[\0\n+]/.test(value)) throw invalidArgument(`sysctl '${key}': the value '${value}' is not allowed`)
  }
  return { ...given }
}

function ulimits(options: CreateOptions): ContainerConfig['ulimits'] {
  return (options.ulimits ?? []).map((limit) => {
    if (!(limit.name in rlimitNumbers)) throw invalidArgument(`invalid ulimit type: ${limit.name}`)
    if (limit.hard !== -1 && (limit.soft === -1 || limit.soft > limit.hard)) {
      throw invalidArgument(`ulimit soft limit must be less than or equal to hard limit: ${limit.soft} > ${limit.hard}`)
    }
    return { ...limit }
  })
}

/** 64 hexadecimal digits; never all decimal in the first twelve, which would be an odd host name. */
export function newId(): string {
  for (;;) {
    const id = randomHex(32)
    if (!/^\d+$/.test(id.slice(0, 12))) return id
  }
}

export interface MergeContext {
  id: string
  name: string
  reference: string
  owned: boolean
  autoRemove: boolean
  root: string
  network: Pick<ContainerConfig, 'network' | 'endpoints'>
  mounts: ContainerMount[]
}

/**
 * Merges what the image asks for with what the caller wants.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT naming the option
 */
export function mergeConfig(
  image: ResolvedImage,
  given: readonly string[],
  options: CreateOptions,
  context: MergeContext,
): ContainerConfig {
  const { id } = context
  const { config } = image.config
  const name = hostname(id, context.network.network, options)
  const security = parseSecurityOptions(options.securityOpt ?? [])
  for (const rule of options.deviceCgroupRules ?? []) parseDeviceCgroupRule(rule)
  const stopSignal = options.stopSignal ?? config.StopSignal ?? 'SIGTERM'
  signalNumber(stopSignal)
  const workdir = options.workdir ?? config.WorkingDir ?? ''
  if (workdir !== '' && !workdir.startsWith('/')) {
    throw invalidArgument(`the working directory '${workdir}' is invalid, it needs to be an absolute path`)
  }
  const shmSize = options.shmSize ?? defaultShmSize
  if (!Number.isInteger(shmSize) || shmSize < 0) throw invalidArgument(`invalid shm size: ${shmSize}`)
  const oomScoreAdj = options.oomScoreAdj ?? 0
  if (!Number.isInteger(oomScoreAdj) || oomScoreAdj < -1000 || oomScoreAdj > 1000) {
    throw invalidArgument(`Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`)
  }
  return {
    version: 1,
    id,
    name: context.name,
    createdAt: Date.now(),
    image: context.reference,
    imageId: image.id,
    chainId: image.chainIds.at(-1) ?? '',
    layers: image.layers.map((path) =>
      path.startsWith(`${context.root}/`) ? path.slice(context.root.length + 1) : path,
    ),
    ...command(image, given, options),
    env: mergeEnv(config.Env ?? [], options, name),
    workdir,
    user: options.user ?? config.User ?? '',
    groupAdd: [...(options.groupAdd ?? [])],
    hostname: name,
    domainname: options.domainname ?? '',
    labels: { ...config.Labels, ...options.labels },
    annotations: { ...options.annotations },
    mounts: context.mounts,
    ...(options.volumesFrom !== undefined && { volumesFrom: [...options.volumesFrom] }),
    readonlyRootfs: options.readonlyRootfs ?? false,
    ...context.network,
    pid: namespace('PID', options.pid, []),
    ipc: namespace('IPC', options.ipc, ['shareable', 'none']),
    uts: namespace('UTS', options.uts, []),
    cgroupns: options.cgroupns === 'host' ? 'host' : 'private',
    cgroupParent: options.cgroupParent ?? null,
    privileged: options.privileged ?? false,
    capAdd: normaliseCapabilities(options.capAdd ?? [], 'CapAdd'),
    capDrop: normaliseCapabilities(options.capDrop ?? [], 'CapDrop'),
    ...security,
    devices: (options.devices ?? []).map((device) => ({
      hostPath: device.hostPath,
      containerPath: device.containerPath ?? device.hostPath,
      permissions: device.permissions ?? 'rwm',
    })),
    deviceCgroupRules: [...(options.deviceCgroupRules ?? [])],
    ulimits: ulimits(options),
    sysctls: sysctls(context.network.network, options),
    shmSize: shmSize === 0 ? defaultShmSize : shmSize,
    oomScoreAdj,
    init: options.init ?? false,
    stopSignal,
    stopTimeout: options.stopTimeout ?? config.StopTimeout ?? 10,
    extraHosts: [...(options.addHosts ?? [])],
    dns: [...(options.dns ?? [])],
    dnsSearch: [...(options.dnsSearch ?? [])],
    dnsOptions: [...(options.dnsOptions ?? [])],
    tty: options.tty ?? false,
    stdin: options.stdin ?? false,
    ...(options.stdinOnce === false && { stdinOnce: false }),
    autoRemove: context.autoRemove,
    owned: context.owned,
    ...(context.owned && { owner: { pid: process.pid, startTime: thisStartTime() } }),
    restart: restart(options, context),
    health: healthConfig(config.Healthcheck, config.Shell, options.healthcheck),
    lifeLimit: lifeLimit(options),
    logDriver: context.owned ? 'none' : (options.logDriver ?? 'json-file'),
    logOptions: { ...options.logOptions },
    log: logConfig(options.logDriver ?? 'json-file', options.logOptions ?? {}, {
      id,
      name: context.name,
      image: context.reference,
      imageId: image.id,
      labels: { ...config.Labels, ...options.labels },
      env: mergeEnv(config.Env ?? [], options, name),
    }),
    resources: resources(options),
    ...portRecord(options, Object.keys(config.ExposedPorts ?? {})),
    volumes: Object.keys(config.Volumes ?? {}),
  }
}
