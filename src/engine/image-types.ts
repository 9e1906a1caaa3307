import type { ProgressEvent } from '../images/index.js'
import type { Platform } from '../oci/platform.js'
import type { CredentialProvider, Credentials, RegistryOptions } from '../registry/index.js'

export type {
  Annotation,
  ImageDetails,
  ImageHistoryEntry,
  ImagePlatform,
  ImportedImage,
  InspectedManifest,
  ListedManifest,
  ProgressEvent,
  PrunedImages,
  PruneImagesOptions,
  PushedImage,
  SaveOptions,
} from '../images/index.js'
export type { CredentialProvider, Credentials, RegistryOptions, SearchResult } from '../registry/index.js'

/** Credentials of one call, or where they come from. */
export type RegistryAuth = Credentials | CredentialProvider

/** How registries are reached: a function is called when one is needed for the first time. */
export type RegistrySettings = RegistryOptions | (() => RegistryOptions)

export interface PushOptions {
  /** Every tag of the repository; the name has none then. Default false. */
  allTags?: boolean
  /** Only the manifest of this platform, `os/arch[/variant]`. Default: the index, if all of it is here or there. */
  platform?: string
  /** Default: what the engine was opened with. */
  auth?: RegistryAuth
  onProgress?: (event: ProgressEvent) => void
  signal?: AbortSignal
}

export interface SearchOptions {
  /** Most results, 1 to 100. Default 25. */
  limit?: number
  signal?: AbortSignal
}

export interface ImportOptions {
  /** Name of the image, with or without a tag. Default: none. */
  reference?: string
  /** Dockerfile instructions that change the configuration, for example `CMD ["sh"]`. */
  changes?: readonly string[]
  /** Comment of the one step in the history. Default `Imported from -`, or from the URL. */
  message?: string
  /** What the image is for, `os/arch[/variant]`. Default: this host's. */
  platform?: string
  onProgress?: (event: ProgressEvent) => void
  signal?: AbortSignal
}

export interface PullOptions {
  /** `os/arch[/variant]`. Default: this host's. */
  platform?: string | Platform
  /** Default: what the engine was opened with. */
  auth?: RegistryAuth
  onProgress?: (event: ProgressEvent) => void
  signal?: AbortSignal
}

export interface PullResult {
  /** Canonical reference, for example `docker.io/library/debian:12`. */
  reference: string
  /** Manifest or index digest as the registry names it. */
  digest: string
  imageId: string
  /** False when the image was there and up to date. */
  updated: boolean
}

export interface LoadOptions {
  /** `os/arch[/variant]`. Default: this host's. */
  platform?: string | Platform
  onProgress?: (event: ProgressEvent) => void
  signal?: AbortSignal
}

export interface LoadedImage {
  /** References the archive gave the image; empty for an untagged one. */
  references: string[]
  imageId: string
}

/** One row of `images`. */
export interface ImageSummary {
  /** `sha256:...` of the config. */
  id: string
  /** Familiar names with tags (`debian:12`); empty for a dangling image. */
  tags: string[]
  /** `name@sha256:...`. */
  digests: string[]
  /** Milliseconds since the epoch, from the config. */
  createdAt: number
  /** Bytes of the unpacked layers. */
  size: number
  labels: Record<string, string>
  architecture: string
  os: string
}

export interface RemovedImage {
  untagged?: string
  deleted?: string
}
