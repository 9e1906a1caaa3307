import type { Files } from './container-types.js'

/** Ids of files, and what they are shown as inside. */
export interface IdRange {
  /** First id on the disk. */
  id: number
  /** What it is shown as. */
  as: number
  count: number
}

/** A mount of a container. Docker's `--mount` keys in camel case. */
export interface MountOption {
  type: 'bind' | 'tmpfs' | 'volume' | 'image'
  /**
   * bind: absolute host path. volume: name; none makes an anonymous volume. image: reference or ID of an image that is
   * here.
   */
  source?: string
  /** Absolute path in the container. */
  target: string
  readonly?: boolean
  /** Bind only. Default `rprivate`. */
  propagation?: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave'
  /** Bind only: what is mounted below the source comes along. Default true. */
  recursive?: boolean
  /** Bind only: `readonly` reaches what is mounted below the source. Default true. */
  recursiveReadonly?: boolean
  /** Bind only: create a missing source directory (what `-v` does). Default false: a missing source is an error. */
  createSource?: boolean
  /** Bind and volume: files show other owners inside than they have on the disk. */
  idmap?: { uids: IdRange[]; gids: IdRange[] }
  /** volume and image: only this path inside it. */
  subpath?: string
  /** Volume only: do not copy the image's content into a new volume. Default false. */
  nocopy?: boolean
  /** Volume only, when it is made. Only `local` exists. */
  driver?: string
  driverOptions?: Record<string, string>
  labels?: Record<string, string>
  /** tmpfs only: bytes. Default: half of the memory, as the kernel has it. */
  size?: number
  /** tmpfs only: mode bits. Default 0o1777. */
  mode?: number
  /** tmpfs only: further mount options as `--tmpfs` takes them (`exec`, `uid=1000`, ...). */
  options?: string[]
  /** The text of `-v` or `--tmpfs`, for `inspect`. */
  text?: string
}

export interface VolumeCreateOptions {
  /** `[a-zA-Z0-9][a-zA-Z0-9_.-]+`. Default: an anonymous volume of 64 hexadecimal digits. */
  name?: string
  /** Only `local`. */
  driver?: string
  labels?: Record<string, string>
  /** `type`, `device` and `o`, as mount(8) has them: a file system that the kernel mounts when a container starts. */
  options?: Record<string, string>
}

/** One row of `volume ls`. */
export interface VolumeSummary {
  name: string
  driver: 'local'
  /** Directory of the content on the host. */
  mountpoint: string
  /** Milliseconds since the epoch. */
  createdAt: number
  labels: Record<string, string>
  options: Record<string, string>
  anonymous: boolean
  /** IDs of the containers that have it, running or not. */
  containers: string[]
}

/** Any of the values of one filter, all filters. Labels: all, and `label!` for those that must not be. */
export interface VolumeFilters {
  name?: string[]
  driver?: string[]
  label?: string[]
  'label!'?: string[]
  dangling?: boolean
}

/** A handle on one volume. */
export interface Volume {
  readonly name: string
  readonly mountpoint: string
  summary(): Promise<VolumeSummary>
  /** Docker's `inspect` shape. */
  inspect(): Promise<Record<string, unknown>>
  /**
   * Its files, whether a container has it or not. Of a volume with a file system of its own (`type`, `device`) they are
   * there only where the kernel mounts it: ERR_JUBAKO_UNSUPPORTED, but for `o=bind`.
   */
  readonly files: Files
  /** Bytes of its files. */
  size(): Promise<number>
  /** @throws JubakoError ERR_JUBAKO_CONFLICT while a container has it */
  remove(): Promise<void>
  /** Removes it if this handle made it; a volume that was there stays. */
  [Symbol.asyncDispose](): Promise<void>
}

/** `engine.volumes`. */
export interface VolumeApi {
  /** Makes a volume; one of that name that is there already is taken as it is. */
  create(options?: VolumeCreateOptions): Promise<Volume>
  /** @throws JubakoError ERR_JUBAKO_NOT_FOUND */
  get(name: string): Promise<Volume>
  /** By name. */
  list(filters?: VolumeFilters): Promise<VolumeSummary[]>
  /**
   * @param options.force a missing one is no error
   * @throws JubakoError ERR_JUBAKO_CONFLICT while a container has it, ERR_JUBAKO_NOT_FOUND
   */
  remove(name: string, options?: { force?: boolean }): Promise<void>
  /** Removes volumes that no container has: anonymous ones, or all. */
  prune(options?: { all?: boolean; filters?: Pick<VolumeFilters, 'label' | 'label!'> }): Promise<{
    removed: string[]
    reclaimed: number
  }>
}
