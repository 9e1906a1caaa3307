import type { ProgressEvent } from '../images/index.js'
import type { CredentialProvider, Credentials, RegistryOptions } from '../registry/index.js'

export type { PushedImage } from '../images/index.js'
export type { CredentialProvider, Credentials, RegistryOptions } from '../registry/index.js'

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
