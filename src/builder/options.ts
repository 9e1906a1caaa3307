import type { CheckWarning } from '../dockerfile/index.js'
import type { CredentialProvider } from '../registry/index.js'
import type { ContextSource } from './context.js'
import type { CacheSource, CacheTarget } from './exchange/types.js'
import type { BuildEvent, StepLimits } from './types.js'

/** What to build, and how. */
export interface BuildOptions {
  /** Default: no files. */
  context?: ContextSource
  /** Path in the context. Default `Dockerfile`. */
  dockerfile?: string
  /** The Dockerfile's text, instead of a file of the context. */
  dockerfileText?: string
  /** Patterns of the ignore file, when it lies beside a Dockerfile outside of the context. */
  ignore?: string[]
  /** Values of ARG instructions. */
  args?: Readonly<Record<string, string>>
  /** Values for `RUN --mount=type=secret`, by id. They are in memory only. */
  secrets?: Readonly<Record<string, string | Uint8Array>>
  /** Agents' sockets for `RUN --mount=type=ssh`, by id. */
  ssh?: Readonly<Record<string, string>>
  /** Folders that `FROM` and `--from` find by name; or images, as `docker-image://name`. */
  contexts?: Readonly<Record<string, ContextSource>>
  target?: string
  /** Names of the image. */
  tags?: readonly string[]
  labels?: Readonly<Record<string, string>>
  /** Of the image's manifest. */
  annotations?: Readonly<Record<string, string>>
  /** Where else steps may have been built. What cannot be read is told as a failed step, and the build goes on. */
  cacheFrom?: readonly CacheSource[]
  /** Where the steps are put for other builds. */
  cacheTo?: readonly CacheTarget[]
  /** `os/arch[/variant]`. Default: this machine's. */
  platform?: string
  /** Who fetches base images: credentials by registry. Default: the engine's. */
  auth?: CredentialProvider
  /** Base images are fetched anew. Default false: only when they are missing. */
  pull?: boolean
  noCache?: boolean
  /** Stages that are built anew. */
  noCacheFilter?: readonly string[]
  limits?: StepLimits
  /** `RUN --security=insecure` may be used. */
  allowInsecure?: boolean
  /** RUN steps may write the values of their secrets to files of the image. Default false: that fails the build. */
  allowSecretsInLayers?: boolean
  /** Milliseconds that all of it may take. */
  timeout?: number
  signal?: AbortSignal
  onProgress?: (event: BuildEvent) => void
  /** `keep`: what the failed step left stays for a look inside; see `BuildError.failed`. Default `remove`. */
  onError?: 'remove' | 'keep'
  /** No image is made of the result: it is exported from its layers only. Default false. */
  noImage?: boolean
}

export interface BuildResult {
  /** `sha256:...`; undefined with `noImage`. */
  imageId: string | undefined
  /** Directories of the result's layers, topmost first. */
  layers: readonly string[]
  warnings: readonly CheckWarning[]
  /** Steps that were taken from the cache, and all. */
  cachedSteps: number
  steps: number
  /** Lets go of the layers; they may be pruned afterwards. */
  release(): Promise<void>
}
