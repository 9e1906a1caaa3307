import type { CheckWarning, Location } from '../dockerfile/index.js'
import type { ChainId, DiffId, ImageConfig, ImageId, Platform } from '../oci/index.js'
import type { CredentialProvider } from '../registry/index.js'
import type { CachePlace, CacheSource, CacheTarget, PackLayer } from './exchange/types.js'

/** A base image that is here. */
export interface BaseImage {
  id: ImageId
  config: ImageConfig
  /** Absolute paths, TOPMOST FIRST. */
  layers: readonly string[]
  chainIds: readonly ChainId[]
  diffIds: readonly DiffId[]
  platform: Platform
}

/** What the builder needs of the images; the engine gives it. */
export interface BuildImages {
  resolve(
    reference: string,
    options: {
      pull: boolean
      platform: string | undefined
      auth: CredentialProvider | undefined
      signal: AbortSignal | undefined
    },
  ): Promise<BaseImage>
  /**
   * Makes an image. Layers with a `directory` are taken from there by rename, unless they are here.
   *
   * @returns what the image is known by
   */
  adopt(image: {
    base: ImageId | undefined
    config: Buffer
    layers: readonly {
      diffId: DiffId
      size: number
      entries: number
      fileBytes: number
      directory: string | undefined
    }[]
    tags: readonly string[]
    annotations: Readonly<Record<string, string>>
  }): Promise<ImageId>
  /** Path of a layer that an image has; undefined when it is not here. */
  layerPath(chainId: ChainId): string | undefined
}

/** sha256 and size of a layer's tar stream. */
export interface HashedLayer {
  diffId: string
  /** Bytes of the tar stream. */
  size: number
  entries: number
  fileBytes: number
}

/** A mount of a RUN step, decided. */
export type StepMount =
  | {
      type: 'tree'
      layers: readonly string[]
      /** Writable: what is written goes here and is thrown away. */
      upper: string | null
      work: string | null
      path: string
      target: string
      readonly: boolean
    }
  | { type: 'directory'; source: string; target: string; readonly: boolean }
  | { type: 'tmpfs'; target: string; size: number | undefined; readonly: boolean }
  | { type: 'secret'; target: string; value: Buffer; mode: number; uid: number; gid: number }
  | { type: 'socket'; source: string; target: string }

/** Limits and surroundings of all RUN steps of a build. */
export interface StepLimits {
  memory?: number
  memorySwap?: number
  cpus?: number
  cpuPeriod?: number
  cpuQuota?: number
  cpuShares?: number
  cpusetCpus?: string
  cpusetMems?: string
  shmSize?: number
  ulimits?: { name: string; soft: number; hard: number }[]
  addHosts?: string[]
  cgroupParent?: string
  /** Of steps that say nothing themselves. */
  network?: string
  securityOpt?: string[]
}

export interface StepRequest {
  command: string[]
  env: string[]
  user: string
  workdir: string
  hostname: string | undefined
  /** TOPMOST FIRST; empty for a stage from scratch. */
  layers: readonly string[]
  /** The step's writable layer. */
  upper: string
  work: string
  mounts: readonly StepMount[]
  network: 'default' | 'none' | 'host'
  privileged: boolean
  devices: readonly string[]
  limits: StepLimits
  /** Standard input of a shell that looks around. */
  interactive?: boolean
  onOutput: (stream: 'stdout' | 'stderr', data: Buffer) => void
  signal: AbortSignal | undefined
}

export interface StepResult {
  exitCode: number
  oomKilled: boolean
}

/** Runs one RUN step as a container. Implemented by the engine. */
export interface StepRunner {
  run(request: StepRequest): Promise<StepResult>
}

/** What the builder is given by the engine. */
export interface BuilderParts {
  /** Data root. */
  root: string
  images: BuildImages
  runner: StepRunner
  hashLayer(directory: string, signal: AbortSignal | undefined): Promise<HashedLayer>
  /** Unpacks a layer, or with `any` an archive of somebody's, in whatever it is compressed. */
  unpack(options: {
    fd: number
    target: string
    compression?: 'any'
    signal: AbortSignal | undefined
  }): Promise<{ diffId: string; uncompressed: number; entries: number; size: number }>
  pack: PackLayer
  /** Opens where cached steps are brought from or put. */
  cachePlace(place: CacheSource | Exclude<CacheTarget, { type: 'inline' }>): CachePlace
  /** A file from the network. */
  download(url: string, target: string, signal: AbortSignal | undefined): Promise<{ modified: number | undefined }>
  /** Commit of a git reference in a directory. */
  clone(
    reference: { remote: string; ref: string | undefined; keepGitDir: boolean; submodules: boolean },
    target: string,
    signal: AbortSignal | undefined,
  ): Promise<string>
  /** Platform of this machine, `os/arch`. */
  platform: string
  now(): number
}

/** What a build tells while it goes on. */
export type BuildEvent =
  | { type: 'start'; step: string; name: string; time: number }
  | { type: 'cached'; step: string }
  | { type: 'output'; step: string; stream: 'stdout' | 'stderr'; data: Buffer; time: number }
  | { type: 'end'; step: string; time: number; error?: string }
  | { type: 'warning'; warning: CheckWarning }

/** Why a step failed, for a program. */
export interface FailedStep {
  /** `[build 2/5] RUN make`. */
  name: string
  instruction: string
  location: Location
  exitCode: number | undefined
  /** Last output, both streams. */
  output: string
  /** Of the failed step's file system when it was kept: TOPMOST FIRST. */
  kept: { layers: string[]; env: string[]; workdir: string; user: string } | undefined
}
