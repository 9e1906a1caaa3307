import type { Readable, Writable } from 'node:stream'
import type {
  Change,
  ContainerFiles,
  CopyInOptions,
  CopyOutOptions,
  PathStat,
  ProcessTable,
} from './container-types.js'
import type { ProgressEvent, RegistrySettings } from './image-types.js'
import type { HealthOptions, HealthStatus, RestartPolicy, UpdateOptions } from './life-types.js'
import type { NetworkOptions } from './network-types.js'
import type { CommitOptions, CommittedImage, Snapshot, SnapshotOptions } from './snapshot-types.js'
import type { MountOption } from './volume-types.js'

export type * from './container-types.js'
export type { EngineEvent, EventOptions } from './event-types.js'
export type * from './image-types.js'
export type { Health, HealthOptions, HealthStatus, RestartPolicy, UpdateOptions } from './life-types.js'
export type { ManifestApi, ManifestCallOptions } from './manifests.js'
export type * from './snapshot-types.js'
export type * from './volume-types.js'

/** Options of `Engine.open`. No environment variable is read by the library. */
export interface EngineOptions {
  /** Data root: images, layers, containers. Default `/var/lib/jubako`. */
  root?: string
  /** Run root: sockets and locks of running containers. Default `/run/jubako`. */
  runRoot?: string
  /** Credentials, mirrors, certificates, proxies. Default: anonymous, straight, by https except on loopback. */
  registry?: RegistrySettings
  /**
   * Do not keep the compressed archives of layers that are unpacked, which takes half the disk. The layers stay runnable;
   * a later push or save makes the archives again, and what it sends may have a new digest: progress says so.
   * Default false.
   */
  dropBlobs?: boolean
  /**
   * What makes the rules of bridge networks, as dockerd's `firewall-backend`. Default: `nftables`; where the kernel lacks
   * it `iptables`; without both `none`, and there are no bridge networks. Whatever a store falls back to holds for all
   * processes that share it, until the machine boots.
   */
  firewallBackend?: 'nftables' | 'iptables' | 'none'
}

export interface DeviceOption {
  hostPath: string
  /** Default: the host path. */
  containerPath?: string
  /** Subset of `rwm`. Default `rwm`. */
  permissions?: string
}

export interface UlimitOption {
  /** Lower case, without `RLIMIT_`: `nofile`, `nproc`, ... */
  name: string
  /** -1 is unlimited. */
  soft: number
  hard: number
}

export interface ThrottleOption {
  /** Device node on the host. */
  path: string
  rate: number
}

/** Limits of a container. Unset means unlimited. */
export interface ResourceOptions {
  /** Bytes; at least 6 MiB, as Docker has it. */
  memory?: number
  /** Bytes of memory plus swap; -1 is unlimited swap. Default: twice `memory`. */
  memorySwap?: number
  /** Soft limit in bytes. */
  memoryReservation?: number
  /** 0 to 100; cgroup v1 only. */
  memorySwappiness?: number
  /** Number of CPUs, for example 1.5. */
  cpus?: number
  /** Microseconds, 1000 to 1000000. */
  cpuPeriod?: number
  /** Microseconds per period. */
  cpuQuota?: number
  /** Relative weight, 2 to 262144; 0 is the default of 1024. */
  cpuShares?: number
  /** List form: `0-2,4`. */
  cpusetCpus?: string
  cpusetMems?: string
  /** -1 or 0 is unlimited. */
  pidsLimit?: number
  /** 10 to 1000. */
  blkioWeight?: number
  blkioWeightDevice?: { path: string; weight: number }[]
  deviceReadBps?: ThrottleOption[]
  deviceWriteBps?: ThrottleOption[]
  deviceReadIops?: ThrottleOption[]
  deviceWriteIops?: ThrottleOption[]
  oomKillDisable?: boolean
}

/** Everything about a new container except its image and command. Names follow Docker's flags. */
export interface CreateOptions extends ResourceOptions, NetworkOptions {
  /** `[a-zA-Z0-9][a-zA-Z0-9_.-]+`. Default: a generated `adjective_surname`. */
  name?: string
  platform?: string
  /** When to pull the image. Default `missing`. */
  pull?: 'always' | 'missing' | 'never'
  /** `string[]` replaces the image's entrypoint; `[]` resets it. */
  entrypoint?: string[]
  /** Values by name; a name with `undefined` removes the image's value. Or lines `K=V`. */
  env?: Record<string, string | undefined> | string[]
  workdir?: string
  /** `user[:group]`, names looked up inside the image. */
  user?: string
  groupAdd?: string[]
  hostname?: string
  domainname?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  mounts?: MountOption[]
  /** Mounts of other containers: `name or id[:ro|rw]`. */
  volumesFrom?: string[]
  /** Driver of volumes that are made for this container. Only `local`. */
  volumeDriver?: string
  readonlyRootfs?: boolean
  /** `host` or `container:<id>`. Default: a namespace of its own. */
  pid?: string
  ipc?: string
  uts?: string
  cgroupns?: 'host' | 'private'
  userns?: string
  cgroupParent?: string
  privileged?: boolean
  capAdd?: string[]
  capDrop?: string[]
  /** `no-new-privileges`, `seccomp=unconfined|builtin|<JSON text>`, `systempaths=unconfined`, `apparmor=...`, `label=...`. */
  securityOpt?: string[]
  devices?: DeviceOption[]
  deviceCgroupRules?: string[]
  ulimits?: UlimitOption[]
  sysctls?: Record<string, string>
  /** Bytes. Default 64 MiB. */
  shmSize?: number
  oomScoreAdj?: number
  init?: boolean
  stopSignal?: string
  /** Seconds. Default 10; -1 waits for ever. */
  stopTimeout?: number
  addHosts?: string[]
  dns?: string[]
  dnsSearch?: string[]
  dnsOptions?: string[]
  /** Allocate a pseudo-terminal. */
  tty?: boolean
  /** Keep standard input open. */
  stdin?: boolean
  /** The end of the first attached client's input is the end of the container's. Default true. */
  stdinOnce?: boolean
  /** Remove the container when it exits. Default for `run` in the library: true when owned, false when detached. */
  autoRemove?: boolean
  /** Started again when it ends by itself. Not together with `autoRemove`, and only for a detached one. Default `no`. */
  restart?: RestartPolicy
  /** Default: the image's. */
  healthcheck?: HealthOptions
  /** Seconds that it may run before it is killed. Default 0: without end. */
  timeout?: number
  /** Default `json-file`. `local` is the same with docker's defaults of that name: 20 MB, five files. */
  logDriver?: 'json-file' | 'local' | 'none'
  /** `max-size`, `max-file`. */
  logOptions?: Record<string, string>
  /** Progress of an image pull that is needed. */
  onProgress?: (event: ProgressEvent) => void
  /** Called with the ID when the container exists, before it is started. */
  onCreated?: (id: string) => void
  /** Aborts creation; for an owned running container, kills it. */
  signal?: AbortSignal
}

export interface RunOptions extends CreateOptions {
  /**
   * false (default): owned. The container dies with this process, stdio are the container's own pipes, no log is kept.
   * true: detached. The container outlives this process, its output goes to its log.
   */
  detached?: boolean
  /** Detached only: what this process is attached to from the very start, so that no byte is missed. */
  attach?: AttachOptions
  /** Initial terminal size (tty only). */
  columns?: number
  rows?: number
}

/** How a container or exec ended. */
export interface ExitStatus {
  /** The process's own code, or 128+n when signal n killed it. */
  exitCode: number
  /** Name of the signal that killed it, for example `SIGKILL`. */
  signal: string | null
  oomKilled: boolean
}

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'

/** One row of `ps`. */
export interface ContainerSummary {
  id: string
  name: string
  image: string
  /** Image ID, `sha256:...`. */
  imageId: string
  command: string[]
  /** Milliseconds since the epoch. */
  createdAt: number
  state: ContainerState
  startedAt: number | null
  finishedAt: number | null
  exitCode: number | null
  /** Of its last health check; null without checks or while it does not run. */
  health: HealthStatus | null
  /** Restarts by its policy since it was started. */
  restartCount: number
  labels: Record<string, string>
  /** pid on the host while running, else 0. */
  pid: number
  mounts: string[]
  /** Targets of the mounts, for filters. */
  mountTargets: string[]
  /** Number of volumes. */
  localVolumes: number
  networks: string[]
  /** Published and declared ports. */
  ports: PortSummary[]
}

/** A port of a container, and where it is published. */
export interface PortSummary {
  port: number
  protocol: string
  hostAddress?: string
  hostPort?: number
}

export interface ExecOptions {
  /** 64 hexadecimal digits. Default: random. */
  id?: string
  env?: Record<string, string> | string[]
  workdir?: string
  user?: string
  privileged?: boolean
  tty?: boolean
  /** Keep standard input open. */
  stdin?: boolean
  /** true: goes on when this process ends; no stdio. */
  detached?: boolean
  /** true: it goes on when this process ends, and its stdio ends then. Default false: it is killed. */
  outlives?: boolean
  /** Initial terminal size (tty only). */
  columns?: number
  rows?: number
  signal?: AbortSignal
}

/** A process that was started by `exec`, by whatever process; known until its container ends. */
export interface ExecInfo {
  /** 64 hexadecimal digits. */
  id: string
  containerId: string
  command: string[]
  tty: boolean
  stdin: boolean
  user: string
  workdir: string
  privileged: boolean
  running: boolean
  /** null while it runs. */
  exitCode: number | null
  /** On the host; 0 when it does not run. */
  pid: number
  startedAt: number
}

/** A process started by `exec`. */
export interface ExecProcess {
  /** 64 hexadecimal digits; `Engine.inspectExec` takes it in any process. */
  readonly id: string
  readonly pid: number
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  /** null with a tty: both are one stream, `stdout`. */
  readonly stderr: Readable | null
  wait(): Promise<ExitStatus>
  kill(signal?: string | number): Promise<void>
  resize(columns: number, rows: number): Promise<void>
}

export interface AttachOptions {
  /** Send standard input. Default: true if the container's standard input is open. */
  stdin?: boolean
  /** Default true. */
  stdout?: boolean
  stderr?: boolean
}

/** A connection to a running container's standard streams. */
export interface Attachment {
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable | null
  /** Leaves the container running. */
  detach(): void
  /** Resolves when the container has exited or the attachment was detached (then null). */
  readonly ended: Promise<ExitStatus | null>
}

export interface LogOptions {
  follow?: boolean
  /** Number of last lines. Default all. */
  tail?: number
  /** Milliseconds since the epoch. */
  since?: number
  until?: number
  signal?: AbortSignal
}

export interface LogEntry {
  stream: 'stdout' | 'stderr'
  /** RFC 3339 with nanoseconds, as written. */
  time: string
  /** The exact bytes of one line with its line feed, or of a part of a line longer than 16 KiB. */
  data: Buffer
  /** What the log options `tag`, `labels` and `env` add to each line. */
  attributes: Record<string, string>
}

/** A sample of what a container uses. Bytes, nanoseconds, counts. */
export interface ContainerStats {
  /** Milliseconds since the epoch. */
  readAt: number
  cpu: {
    usageNs: number
    userNs: number
    systemNs: number
    periods: number
    throttledPeriods: number
    throttledNs: number
  }
  /** `usage` without the inactive page cache, as `docker stats` shows it; `limit` is null when unlimited. */
  memory: { usage: number; limit: number | null; rss: number; cache: number; swap: number; oomKills: number }
  pids: { current: number; limit: number | null }
  blkio: { readBytes: number; writeBytes: number; readOps: number; writeOps: number }
  network: Record<string, { rxBytes: number; rxPackets: number; txBytes: number; txPackets: number }>
}

export interface StopOptions {
  /** Default: the container's stop signal, else SIGTERM. */
  signal?: string | number
  /** Seconds before SIGKILL; -1 waits for ever. Default: the container's stop timeout, else 10. */
  timeout?: number
}

export interface RemoveOptions {
  /** Kill it first. */
  force?: boolean
  /** Remove anonymous volumes too. */
  volumes?: boolean
}

export interface StartOptions {
  /** The handle's `stdin`, `stdout` and `stderr` are then the container's, from its first byte on. */
  attach?: AttachOptions
  columns?: number
  rows?: number
}

/** A handle on one container, valid whether or not it runs. */
export interface Container {
  readonly id: string
  readonly name: string
  /** Of an owned container, or of one started with `attach`; null otherwise. `stdin` is null unless asked for. */
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /**
   * Starts a created or exited container. Resolves when its command runs. Starting a running one is not an error: with
   * `attach` it is what {@link attach} does.
   */
  start(options?: StartOptions): Promise<void>
  wait(): Promise<ExitStatus>
  kill(signal?: string | number): Promise<void>
  stop(options?: StopOptions): Promise<void>
  /** Stops it, if it runs, and starts it. */
  restart(options?: StopOptions): Promise<void>
  /** @throws JubakoError ERR_JUBAKO_CONFLICT when the name is taken */
  rename(name: string): Promise<void>
  /** Changes limits and restart policy, also while it runs. @returns limits that this kernel does not have */
  update(options: UpdateOptions): Promise<string[]>
  pause(): Promise<void>
  unpause(): Promise<void>
  exec(command: string[], options?: ExecOptions): Promise<ExecProcess>
  /** What exec has started since the container was. */
  execs(): Promise<ExecInfo[]>
  attach(options?: AttachOptions): Promise<Attachment>
  resize(columns: number, rows: number): Promise<void>
  logs(options?: LogOptions): AsyncIterable<LogEntry>
  /** The same, many lines at a time: for long logs. */
  logBatches(options?: LogOptions): AsyncIterable<LogEntry[]>
  stats(): Promise<ContainerStats>
  summary(): Promise<ContainerSummary>
  /** What a client needs to know before it attaches. */
  settings(): Promise<{ tty: boolean; stdin: boolean; stdinOnce: boolean }>
  /**
   * Its processes, as the host's ps(1) shows them.
   *
   * @param psArguments Default `-ef`.
   * @throws JubakoError ERR_JUBAKO_STATE when it does not run
   */
  top(psArguments?: readonly string[]): Promise<ProcessTable>
  /**
   * Freezes what a stopped container wrote, in a time that does not depend on its size. Its files stay as they are, and
   * {@link Engine.run} and {@link Engine.create} take the snapshot in the place of an image.
   *
   * @throws JubakoError ERR_JUBAKO_STATE when it runs
   */
  snapshot(options?: SnapshotOptions): Promise<Snapshot>
  /**
   * Makes an image of its files and settings. When this returns the image is complete and on the disk.
   *
   * @throws JubakoError ERR_JUBAKO_INVALID_REFERENCE, ERR_JUBAKO_INVALID_ARGUMENT; ERR_JUBAKO_UNSUPPORTED for a file that
   *   no layer can hold; ERR_JUBAKO_NOT_FOUND when its image was removed
   */
  commit(options?: CommitOptions): Promise<CommittedImage>
  /** Its files; {@link stat}, {@link copyIn}, {@link copyOut} and {@link export} are theirs. */
  readonly files: ContainerFiles
  stat(path: string): Promise<PathStat>
  copyOut(path: string, options?: CopyOutOptions): Promise<{ stat: PathStat; stream: Readable }>
  copyIn(directory: string, archive: Readable, options?: CopyInOptions): Promise<void>
  export(options?: { signal?: AbortSignal }): Promise<Readable>
  /** What it changed in its root file system, whether it runs or not; sorted by path. */
  changes(): Promise<Change[]>
  /** Docker's `inspect` shape. */
  inspect(): Promise<Record<string, unknown>>
  remove(options?: RemoveOptions): Promise<void>
  /** Owned: kills and removes it. Detached: releases the handle only. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** What `Engine.info()` tells. */
export interface EngineInfo {
  root: string
  runRoot: string
  version: string
  containers: { total: number; running: number; paused: number; stopped: number }
  images: number
  kernelVersion: string
  operatingSystem: string
  architecture: string
  cpus: number
  memory: number
  cgroupVersion: 1 | 2
  cgroupControllers: string[]
  storageDriver: 'overlay'
  /** Kernel or privilege limits found, each with what does not work because of it. */
  warnings: string[]
}
