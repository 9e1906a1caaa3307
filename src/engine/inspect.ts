import { maskedPaths, readonlyPaths } from '../oci/paths.js'
import type { ContainerConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { execsOf } from './execs.js'
import { readHealth } from './health.js'
import { bindTexts, mountPoint, mountSpecifications } from './inspect-mounts.js'
import { hostLink, networkSettings, portBindings } from './inspect-network.js'
import { type Snapshot, snapshotOf } from './state.js'

const zeroTime = '0001-01-01T00:00:00Z'
const iso = (ms: number | null): string => (ms === null || ms === 0 ? zeroTime : new Date(ms).toISOString())
const orNull = <T>(list: T[]): T[] | null => (list.length === 0 ? null : list)

/** Docker's `State` object (Engine API 1.51, ContainerState). */
function stateOf(context: EngineContext, config: ContainerConfig, snapshot: Snapshot): Record<string, unknown> {
  const { state, pid, startedAt, finishedAt, exit, error } = snapshot
  const health = readHealth(context, config)
  return {
    Status: state,
    // As Docker has it: what is restarting counts as running.
    Running: state === 'running' || state === 'paused' || state === 'restarting',
    Paused: state === 'paused',
    Restarting: state === 'restarting',
    OOMKilled: exit?.oomKilled ?? false,
    Dead: state === 'dead',
    Pid: pid,
    ExitCode: exit?.exitCode ?? 0,
    Error: error,
    StartedAt: iso(startedAt),
    FinishedAt: iso(finishedAt),
    ...(health !== null && {
      Health: {
        Status: health.status,
        FailingStreak: health.failingStreak,
        Log: health.log.map(({ start, end, exitCode, output }) => ({
          Start: iso(start),
          End: iso(end),
          ExitCode: exitCode,
          Output: output,
        })),
      },
    }),
  }
}

/** Docker's `Config.Healthcheck`; durations in nanoseconds. */
export function healthcheck({ health }: ContainerConfig): Record<string, unknown> {
  if (health === null) return {}
  const nano = (milliseconds: number): number => Math.round(milliseconds * 1e6)
  return {
    Healthcheck: {
      Test: health.test,
      Interval: nano(health.interval),
      Timeout: nano(health.timeout),
      StartPeriod: nano(health.startPeriod),
      StartInterval: nano(health.startInterval),
      Retries: health.retries,
    },
  }
}

function hostConfig(config: ContainerConfig): Record<string, unknown> {
  const { resources: r } = config
  const privileged = config.privileged || config.systemPathsUnconfined
  const throttles = (list: { path: string; rate: number }[] | undefined) =>
    list === undefined ? null : list.map(({ path, rate }) => ({ Path: path, Rate: rate }))
  return {
    Binds: orNull(bindTexts(config)),
    ContainerIDFile: '',
    LogConfig: { Type: config.logDriver, Config: config.logOptions },
    NetworkMode: config.network,
    PortBindings: portBindings(config),
    RestartPolicy: { Name: config.restart.policy, MaximumRetryCount: config.restart.maxRetries },
    AutoRemove: config.autoRemove,
    VolumeDriver: '',
    VolumesFrom: config.volumesFrom ?? null,
    CapAdd: orNull(config.capAdd),
    CapDrop: orNull(config.capDrop),
    CgroupnsMode: config.cgroupns,
    Dns: config.dns,
    DnsOptions: config.dnsOptions,
    DnsSearch: config.dnsSearch,
    ExtraHosts: orNull(config.extraHosts),
    GroupAdd: orNull(config.groupAdd),
    IpcMode: config.ipc,
    Cgroup: '',
    Links: orNull((config.endpoints ?? []).flatMap(({ links }) => links.map((link) => hostLink(config, link)))),
    OomScoreAdj: config.oomScoreAdj,
    PidMode: config.pid === 'private' ? '' : config.pid,
    Privileged: config.privileged,
    PublishAllPorts: config.publishAll ?? false,
    ReadonlyRootfs: config.readonlyRootfs,
    SecurityOpt: orNull(config.securityOpt),
    UTSMode: config.uts === 'private' ? '' : config.uts,
    UsernsMode: '',
    ShmSize: config.shmSize,
    Sysctls: config.sysctls,
    Runtime: 'jubako',
    CpuShares: r.cpuShares ?? 0,
    Memory: r.memory ?? 0,
    NanoCpus: Math.round((r.cpus ?? 0) * 1e9),
    CgroupParent: config.cgroupParent ?? '',
    BlkioWeight: r.blkioWeight ?? 0,
    BlkioWeightDevice: r.blkioWeightDevice?.map(({ path, weight }) => ({ Path: path, Weight: weight })) ?? [],
    BlkioDeviceReadBps: throttles(r.deviceReadBps),
    BlkioDeviceWriteBps: throttles(r.deviceWriteBps),
    BlkioDeviceReadIOps: throttles(r.deviceReadIops),
    BlkioDeviceWriteIOps: throttles(r.deviceWriteIops),
    CpuPeriod: r.cpuPeriod ?? 0,
    CpuQuota: r.cpuQuota ?? 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: r.cpusetCpus ?? '',
    CpusetMems: r.cpusetMems ?? '',
    Devices: config.devices.map((d) => ({
      PathOnHost: d.hostPath,
      PathInContainer: d.containerPath,
      CgroupPermissions: d.permissions,
    })),
    DeviceCgroupRules: orNull(config.deviceCgroupRules),
    MemoryReservation: r.memoryReservation ?? 0,
    MemorySwap: r.memorySwap ?? (r.memory === undefined ? 0 : r.memory * 2),
    MemorySwappiness: r.memorySwappiness ?? null,
    OomKillDisable: r.oomKillDisable ?? false,
    PidsLimit: r.pidsLimit ?? null,
    Ulimits: config.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    ...mountSpecifications(config),
    Init: config.init,
    ...ELSEWHERE,
    MaskedPaths: privileged ? null : maskedPaths,
    ReadonlyPaths: privileged ? null : readonlyPaths,
  }
}

/** What only other systems have; clients read it all the same. */
const ELSEWHERE = {
  ConsoleSize: [0, 0],
  Isolation: '',
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
}

/** Targets of the volumes without a name: the image's and those of `-v`. */
function volumesOf(config: ContainerConfig): Record<string, object> | null {
  const given = config.mounts.flatMap((it) =>
    it.type === 'volume' && it.origin?.text !== undefined && it.anonymous ? [it.target] : [],
  )
  const all = [...new Set([...config.volumes, ...given])]
  return all.length === 0 ? null : Object.fromEntries(all.map((path) => [path, {}]))
}

/** Docker's `inspect` of a container (Engine API 1.51, ContainerInspectResponse). */
export function inspectContainer(context: EngineContext, config: ContainerConfig): Record<string, unknown> {
  const paths = context.store.places.of(config.id)
  const argv = [...config.entrypoint, ...config.command]
  const snapshot = snapshotOf(context, config)
  return {
    Id: config.id,
    Created: iso(config.createdAt),
    Path: argv[0] ?? '',
    Args: argv.slice(1),
    State: stateOf(context, config, snapshot),
    Image: config.imageId,
    ResolvConfPath: paths.resolvConf,
    HostnamePath: paths.hostname,
    HostsPath: paths.hosts,
    LogPath: config.logDriver === 'none' ? '' : paths.log,
    Name: `/${config.name}`,
    RestartCount: snapshot.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: orNull(execsOf(context, config).flatMap(({ id, running }) => (running ? [id] : []))),
    HostConfig: hostConfig(config),
    GraphDriver: {
      Name: 'overlay2',
      Data: {
        LowerDir: config.layers.map((path) => (path.startsWith('/') ? path : `${context.root}/${path}`)).join(':'),
        UpperDir: paths.upper,
        WorkDir: paths.work,
      },
    },
    Mounts: config.mounts.map((mount) => mountPoint(context, mount)),
    Config: {
      Hostname: config.hostname,
      Domainname: config.domainname,
      User: config.user,
      AttachStdin: false,
      AttachStdout: true,
      AttachStderr: true,
      ...(config.exposedPorts.length > 0 && {
        ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])),
      }),
      Tty: config.tty,
      OpenStdin: config.stdin,
      StdinOnce: config.stdin && config.stdinOnce !== false,
      // As docker has it: what every container gets is not told.
      Env: config.env.filter(
        (entry) => entry !== `HOSTNAME=${config.hostname}` && !(config.tty && entry === 'TERM=xterm'),
      ),
      Cmd: orNull(config.command),
      ...healthcheck(config),
      Image: config.image,
      Volumes: volumesOf(config),
      WorkingDir: config.workdir,
      Entrypoint: orNull(config.entrypoint),
      OnBuild: null,
      Labels: config.labels,
      ...(config.stopSignal !== 'SIGTERM' && { StopSignal: config.stopSignal }),
      StopTimeout: config.stopTimeout,
    },
    NetworkSettings: networkSettings(context, config),
  }
}
