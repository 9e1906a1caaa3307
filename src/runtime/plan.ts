import type { CgroupPlan } from '../cgroups/index.js'
import {
  type EventPlan,
  type HealthPlan,
  type KillPlan,
  type ProcessPlan,
  type Step,
  type StreamPlan,
  seccompProgram,
} from '../native/index.js'
import { boundingSet, capabilityMask, resolveCapabilities } from '../oci/capabilities.js'
import type { Mount } from '../overlay/index.js'
import { type ContainerConfig, ownsNetwork } from './config.js'
import { Clone, rlimitNumbers } from './flags.js'
import { linkTarget } from './names.js'
import type { ContainerPaths } from './paths.js'
import {
  cgroupMountSteps,
  deviceSteps,
  fileMountSteps,
  type HostDevice,
  mountTargets,
  overlayFields,
  protectionSteps,
  rootSteps,
  systemMountSteps,
} from './plan-mounts.js'
import type { MountSource } from './plan-volumes.js'
import type { Beginning } from './store.js'

/** What this host gives: read once by the engine. */
export interface Host {
  /** Text of /proc/self/status. */
  processStatus: string
  arch: string
  kernelRelease: string
}

/** A volume that a container gives back at its end: an anonymous one goes with its last container. */
export interface VolumeRelease {
  directory: string
  /** Where it waits for its deletion; null: it stays. */
  trash: string | null
}

export interface PlanInput {
  config: ContainerConfig
  paths: ContainerPaths
  root: Mount
  cgroup: CgroupPlan
  /** What volumes, images and binds are, by the target. */
  sources: ReadonlyMap<string, MountSource>
  devices: readonly HostDevice[]
  host: Host
  streams: readonly [StreamPlan, StreamPlan, StreamPlan]
  attachMask: number
  rows: number
  columns: number
  /** Descriptors passed for namespaces of other containers, by their place in the list: pidfds. */
  joins: readonly { index: number; flags: number; what: string }[]
  /** For a container that is removed at its end: where its directory waits for deletion, and its name's link. */
  removal: { trash: string; names: string; volumes: readonly VolumeRelease[] } | null
  stopSignal: number
  health: HealthPlan | null
  events: EventPlan | null
  /** Its supervisor tells of its creation too. */
  created: boolean
  /** What connects it with its networks. */
  network?: { host: readonly Step[]; beside: readonly Step[]; exit: readonly Step[] } | undefined
  /** Tests put failing steps in. */
  alter?: ((plan: ProcessPlan) => ProcessPlan) | undefined
}

const sysAdmin = 1n << 21n

/** Turns a container's configuration into the steps that make it. */
export function planContainer(input: PlanInput): ProcessPlan {
  const { config, paths, cgroup } = input
  const plan: ProcessPlan = {
    cloneFlags: cloneFlags(config, cgroup),
    intoCgroup: cgroup.into,
    owned: config.owned,
    streams: input.streams,
    attachMask: input.attachMask,
    stdinOnce: config.stdin && config.stdinOnce !== false && !config.tty && input.attachMask !== 0,
    rows: input.rows,
    columns: input.columns,
    log: logPlan(config, paths),
    spillDirectory: paths.directory,
    exitPath: paths.exit,
    statePath: paths.state,
    stateText: '',
    oom: cgroup.oom,
    kill: cgroup.kill satisfies KillPlan,
    reusable: false,
    killOnEnd: true,
    events: input.events,
    restart: config.restart,
    lifeLimit: config.lifeLimit * 1000,
    stopSignal: input.stopSignal,
    stopTimeout: config.stopTimeout < 0 ? -1 : config.stopTimeout * 1000,
    health: input.health,
    begin: [...(input.created ? [['event', '"create"'] as const] : []), ...(input.network?.host ?? [])],
    host: [['hold-files', paths.directory], ...cgroupParents(cgroup), ...cgroupBirth(cgroup)],
    beside: [...(input.network?.beside ?? []), ...cgroupLimits(cgroup)],
    child: childSteps(input),
    exit: cgroup.remove.map((path): Step => ['cgroup-remove', path]),
    end: endSteps(input),
  }
  return input.alter ? input.alter(plan) : plan
}

function cloneFlags(config: ContainerConfig, cgroup: CgroupPlan): number {
  let flags = Clone.newMount
  if (config.pid === 'private') flags |= Clone.newPid
  if (config.ipc === 'private') flags |= Clone.newIpc
  if (config.uts === 'private') flags |= Clone.newUts
  if (ownsNetwork(config)) flags |= Clone.newNetwork
  // On v2 the process is born in its cgroup, so the namespace's root is right. On v1 it joins afterwards.
  if (config.cgroupns === 'private' && cgroup.version === 2) flags |= Clone.newCgroup
  return flags
}

function logPlan({ logDriver, log }: ContainerConfig, paths: ContainerPaths): ProcessPlan['log'] {
  if (logDriver === 'none') return null
  const attributes = Object.keys(log.attributes).length === 0 ? '' : JSON.stringify(log.attributes)
  return { path: paths.log, maxSize: log.maxSize, maxFiles: log.maxFiles, compress: log.compress, attributes }
}

/** CLONE_NEW* of namespaces that a container's supervisor makes: making them takes longer than all else that clone3 does. */
export function madeEarly(config: Pick<ContainerConfig, 'network' | 'ipc'>): number {
  return (ownsNetwork(config) ? Clone.newNetwork : 0) | (config.ipc === 'private' ? Clone.newIpc : 0)
}

export function namespaceSteps(namespaces: number): Step[] {
  if (namespaces === 0) return []
  const sysctls = namespaces & Clone.newNetwork ? Object.entries(networkSysctls) : []
  return [['namespaces', BigInt(namespaces), sysctls.flatMap(([key, value]) => [sysctlPath(key), value])]]
}

/** What a supervisor does while its plan is still being made, and what it undoes if none comes. */
export interface Preparation {
  act: readonly Step[]
  undo: readonly Step[]
}

/** @param beginning of a container that has what {@link planRoot} makes, and no record */
export function planPreparation(
  input: Pick<PlanInput, 'config' | 'paths' | 'removal'> & {
    /** What {@link namespaceSteps} made already. */
    namespaces: number
  },
  beginning: Beginning | undefined,
): Preparation {
  const { config, paths } = input
  const namespaces = madeEarly(config)
  return {
    act: [
      ...(beginning === undefined ? [...runSteps(paths, true)] : fileSteps(paths, beginning)),
      ...(input.namespaces === namespaces ? [] : namespaceSteps(namespaces)),
    ],
    undo: [...(beginning === undefined ? [] : removeSteps(input)), ...runEndSteps(paths)],
  }
}

const runSteps = (paths: ContainerPaths, again: boolean): Step[] => [
  ['mkdir', paths.run, 0o700, true],
  ['lock', paths.lock],
  ...(again ? [['unlink', paths.exit] as const] : []),
  ['listen', paths.socket],
]

const fileSteps = (paths: ContainerPaths, { files }: Beginning): Step[] => [
  ['write-file', paths.hosts, 0o644, files.hosts],
  ['write-file', paths.hostname, 0o644, files.hostname],
  ['write-file', paths.resolvConf, 0o644, files.resolvConf],
]

export interface RootInput {
  paths: ContainerPaths
  root: Mount
  /** Of the upper layer's root, which is the container's root directory. */
  rootMode: number
  /** What the user mounts. */
  mounts: readonly { target: string }[]
  /** Where its directory waits for deletion. */
  trash: string
}

/**
 * The first preparation of a container that has nothing but its name: its directory, its lock and its root file system,
 * which need no more than its image. Nobody else knows of it yet, so the root needs no lock.
 */
export function planRoot({ paths, root, rootMode, mounts, trash }: RootInput): Preparation {
  return {
    act: [
      ['mkdir', paths.directory, 0o700, false],
      ['mkdir', paths.upper, rootMode, false],
      ['mkdir', paths.work, 0o700, false],
      ...runSteps(paths, false),
      ['make-root', ...overlayFields(root, paths.run)],
      ['mount-targets', ...mountTargets(mounts)],
    ],
    undo: [['remove-tree', paths.directory, trash], ...runEndSteps(paths)],
  }
}

function cgroupParents(cgroup: CgroupPlan): Step[] {
  if (cgroup.parentWrites.length === 0) return []
  return [
    ...cgroup.parents.map((path): Step => ['cgroup-parents', path]),
    ...cgroup.parentWrites.map(({ path, value, required }): Step => ['cgroup-write', path, value, required]),
  ]
}

/** The directory that the first process is born in. */
const cgroupBirth = (cgroup: CgroupPlan): Step[] =>
  cgroup.into === null ? [] : [['cgroup-mkdir', cgroup.into, cgroup.parents]]

/** All else, while the first process sets itself up. */
function cgroupLimits(cgroup: CgroupPlan): Step[] {
  return [
    ...cgroup.directories
      .filter((path) => path !== cgroup.into)
      .map((path): Step => ['cgroup-mkdir', path, cgroup.parents]),
    ...cgroup.writes.map(({ path, value, required }): Step => ['cgroup-write', path, value, required]),
    ...(cgroup.deviceProgram === null || cgroup.into === null
      ? []
      : [['cgroup-devices', cgroup.into, cgroup.deviceProgram] as const]),
  ]
}

function childSteps(input: PlanInput): Step[] {
  const { config, paths, cgroup } = input
  const steps: Step[] = []
  for (const { index, flags, what } of input.joins) steps.push(['join-namespace', index, BigInt(flags), what])
  if (config.oomScoreAdj !== 0) steps.push(['oom-score-adj', config.oomScoreAdj])
  steps.push(
    ['keyring', config.id],
    ...rootSteps(input.root, config, paths.run),
    ...systemMountSteps(config),
    ...fileMountSteps(config, paths, input.sources),
    ...deviceSteps(config, input.devices),
    ['session'],
    ...protectionSteps(config),
    // From here on it needs its cgroup, which the supervisor has made meanwhile.
    ['wait-host'],
  )
  // By itself: to move another process, the kernel waits until every processor has been through a grace period.
  if (cgroup.join.length > 0) steps.push(['cgroup-join', cgroup.join])
  if (config.cgroupns === 'private' && cgroup.version === 1) steps.push(['unshare-cgroup'])
  steps.push(...cgroupMountSteps(config, cgroup), ['pivot-root'])
  if (config.readonlyRootfs) steps.push(['mount-readonly', '/'])
  if (ownsNetwork(config)) steps.push(['loopback'])
  if (config.uts === 'private') {
    steps.push(['hostname', config.hostname])
    if (config.domainname !== '') steps.push(['domainname', config.domainname])
  }
  steps.push(...sysctlSteps(config))
  for (const { name, soft, hard } of config.ulimits) {
    steps.push(['rlimit', rlimitNumbers[name]!, BigInt(soft), BigInt(hard), name])
  }
  steps.push(
    ['user', config.user, config.groupAdd],
    ['workdir', config.workdir === '' ? '/' : config.workdir, true],
    ...identitySteps(config, input.host),
    ['execute', [...config.entrypoint, ...config.command], config.env, config.init],
  )
  return steps
}

type Identity = Pick<
  ContainerConfig,
  'capAdd' | 'capDrop' | 'privileged' | 'noNewPrivileges' | 'seccomp' | 'seccompUnconfined'
>

/** By what they follow from. A process asks for few. */
const identities = new WeakMap<Host, Map<string, Step[]>>()
const MOST_IDENTITIES = 64

/** Credentials, no_new_privs and seccomp: the last steps before the command. */
export function identitySteps(config: Identity, host: Host): Step[] {
  const { capAdd, capDrop, privileged, noNewPrivileges, seccomp, seccompUnconfined } = config
  const key = JSON.stringify([capAdd, capDrop, privileged, noNewPrivileges, seccomp, seccompUnconfined])
  let known = identities.get(host)
  if (known === undefined || known.size >= MOST_IDENTITIES) {
    known = new Map()
    identities.set(host, known)
  }
  const steps = known.get(key) ?? makeIdentity(config, host)
  known.set(key, steps)
  return steps
}

function makeIdentity(config: Identity, host: Host): Step[] {
  const { capAdd, capDrop, privileged, noNewPrivileges } = config
  const bounding = boundingSet(host.processStatus)
  const capabilities = resolveCapabilities({ capAdd, capDrop, privileged, bounding })
  const mask = capabilityMask(capabilities)
  const filtered = !config.seccompUnconfined && !privileged
  const steps: Step[] = [['credentials', mask, mask, mask, 0n, 0n, filtered && !noNewPrivileges ? sysAdmin : 0n]]
  if (noNewPrivileges) steps.push(['no-new-privileges'])
  if (filtered) {
    const { arch, kernelRelease } = host
    steps.push(['seccomp', seccompProgram(config.seccomp, { arch, kernelRelease, capabilities })])
  }
  return steps
}

/** Docker's defaults for a network namespace of its own. */
const networkSysctls = { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' }

const sysctlPath = (key: string): string => key.replaceAll('.', '/')

/** The defaults, where the supervisor did not set them already, then the user's. */
function sysctlSteps(config: ContainerConfig): Step[] {
  const defaults = ownsNetwork(config) ? networkSysctls : {}
  const entries = (list: Record<string, string>, namespaces: number) =>
    Object.entries(list).map(([key, value]): Step => ['sysctl', sysctlPath(key), value, BigInt(namespaces)])
  return [...entries(defaults, Clone.newNetwork), ...entries(config.sysctls, 0)]
}

function endSteps(input: PlanInput): Step[] {
  const { events, network, removal } = input
  return [
    ...(network?.exit ?? []),
    ...removeSteps(input),
    ...(removal === null || events === null ? [] : [['event', '"destroy"'] as const]),
    ...runEndSteps(input.paths),
  ]
}

function removeSteps({ config, paths, removal }: Pick<PlanInput, 'config' | 'paths' | 'removal'>): Step[] {
  if (removal === null) return []
  return [
    // The name goes while the directory still says that it is taken.
    ['release-name', removal.names, paths.directory, config.name, linkTarget(config.id)],
    ['remove-tree', paths.directory, removal.trash],
    ...removal.volumes.map(
      ({ directory, trash }): Step =>
        trash === null
          ? ['unlink', `${directory}/users/${config.id}`]
          : ['volume-release', directory, config.id, trash],
    ),
  ]
}

const runEndSteps = (paths: ContainerPaths): Step[] => [
  ['remove-tree', paths.execs, `${paths.execs}.gone`],
  ['unlink', paths.state],
  ['unlink', paths.socket],
  ['unlink', paths.lock],
  ['rmdir', paths.run],
]
