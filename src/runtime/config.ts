import type { Resources } from '../cgroups/index.js'
import type { EndpointConfig, PortBinding } from '../network/index.js'

/** Where a namespace comes from: its own, the host's, or another container's. */
export type NamespaceMode = 'private' | 'host' | `container:${string}`

export interface BindMount {
  type: 'bind'
  source: string
  target: string
  readonly: boolean
  recursive: boolean
  propagation: string
  createSource: boolean
  /** Read-only reaches what is mounted below the source. Absent: true. */
  recursiveReadonly?: boolean
  ids?: IdMap
  origin?: MountOrigin
}

/** Lines of uid_map(5): the id on the disk, the id it is shown as, how many. */
export interface IdMap {
  uids: string
  gids: string
}

/** How the user wrote a mount; inspect shows it. */
export interface MountOrigin {
  /** A `-v` as it was given; absent for `--mount`. */
  text?: string
  /** Options after the target, as docker's inspect shows them. */
  mode: string
  /** From `--volumes-from`, or from the image. */
  inherited?: true
}

export interface VolumeMount {
  type: 'volume'
  name: string
  /** It has no name of its own: it goes with its last container. */
  anonymous: boolean
  target: string
  readonly: boolean
  /** First use copies the image's content. */
  copy: boolean
  /** Directory or file inside the volume; empty: all of it. */
  subpath: string
  ids?: IdMap
  origin?: MountOrigin
}

export interface ImageMount {
  type: 'image'
  /** As the caller named it. */
  source: string
  imageId: string
  chainId: string
  /** Layer directories below the data root, topmost first. */
  layers: string[]
  target: string
  readonly: boolean
  subpath: string
}

export type ContainerMount = BindMount | TmpfsMount | VolumeMount | ImageMount

export interface TmpfsMount {
  type: 'tmpfs'
  target: string
  readonly: boolean
  /** fsconfig options: `size=65536k`, `mode=1777`. */
  options: string[]
  /** Flags: `nosuid`, `nodev`, `noexec`, `ro`. */
  flags: string[]
  /** As `--tmpfs` has it; absent for `--mount`. */
  text?: string
}

export interface DeviceMount {
  hostPath: string
  containerPath: string
  permissions: string
}

export interface Ulimit {
  name: string
  soft: number
  hard: number
}

export interface RestartConfig {
  policy: 'no' | 'on-failure' | 'always' | 'unless-stopped'
  /** on-failure: most restarts; 0 is no end. */
  maxRetries: number
}

/** A health check. Times in milliseconds. */
export interface HealthConfig {
  /** As Docker writes it: `CMD` or `CMD-SHELL` first. */
  test: string[]
  /** What is executed. */
  command: string[]
  interval: number
  timeout: number
  startPeriod: number
  startInterval: number
  retries: number
  onFailure: 'none' | 'kill' | 'restart' | 'stop'
}

/** Everything decided about a container when it was created: `config.json` in its directory. */
export interface ContainerConfig {
  version: 1
  id: string
  name: string
  /** Milliseconds since the epoch. */
  createdAt: number
  /** As the caller named it. */
  image: string
  imageId: string
  /** Chain ID of the topmost layer. */
  chainId: string
  /** Layer directories below the data root, topmost first. */
  layers: string[]
  entrypoint: string[]
  command: string[]
  env: string[]
  workdir: string
  user: string
  groupAdd: string[]
  hostname: string
  domainname: string
  labels: Record<string, string>
  annotations: Record<string, string>
  mounts: ContainerMount[]
  /** As `--volumes-from` named them. */
  volumesFrom?: string[]
  readonlyRootfs: boolean
  /** `host`, `container:<id>`, `none`, or the first network as the caller named it. */
  network: string
  /** Networks it takes part in. Absent in records of earlier versions. */
  endpoints?: EndpointConfig[]
  /** Ports that are published, and whether all declared ones are. */
  ports?: PortBinding[]
  publishAll?: boolean
  pid: NamespaceMode
  ipc: NamespaceMode
  uts: NamespaceMode
  cgroupns: 'host' | 'private'
  cgroupParent: string | null
  privileged: boolean
  capAdd: string[]
  capDrop: string[]
  noNewPrivileges: boolean
  /** null: the built-in profile. JSON text otherwise. */
  seccomp: string | null
  seccompUnconfined: boolean
  systemPathsUnconfined: boolean
  securityOpt: string[]
  devices: DeviceMount[]
  deviceCgroupRules: string[]
  ulimits: Ulimit[]
  sysctls: Record<string, string>
  shmSize: number
  oomScoreAdj: number
  init: boolean
  stopSignal: string
  /** Seconds. */
  stopTimeout: number
  extraHosts: string[]
  dns: string[]
  dnsSearch: string[]
  dnsOptions: string[]
  tty: boolean
  stdin: boolean
  /** Absent: true. False: standard input outlives those who are attached to it. */
  stdinOnce?: boolean
  autoRemove: boolean
  owned: boolean
  /** Owned: the process that it dies with. The start time tells it from a later one of the same pid. */
  owner?: { pid: number; startTime: string }
  /** The process that removes it, or why that failed. */
  removal?: { pid: number; startTime: string; error?: string }
  restart: RestartConfig
  /** null: no checks. */
  health: HealthConfig | null
  /** Seconds that it may run; 0: without end. */
  lifeLimit: number
  logDriver: 'json-file' | 'local' | 'none'
  /** As they were given. */
  logOptions: Record<string, string>
  log: {
    /** Bytes; 0: no rotation. */
    maxSize: number
    maxFiles: number
    compress: boolean
    /** In every line. */
    attributes: Record<string, string>
  }
  resources: Resources
  exposedPorts: string[]
  volumes: string[]
}

/** Whether it has a network namespace of its own. */
export const ownsNetwork = ({ network }: Pick<ContainerConfig, 'network'>): boolean =>
  network !== 'host' && !network.startsWith('container:')
