export { type Challenge, parseChallenges } from './challenge.js'
export { RegistryClient } from './client.js'
export { DockerConfig, type DockerConfigOptions, keyOf, type StoredLogin } from './docker-config.js'
export type {
  BlobSink,
  CredentialProvider,
  Credentials,
  Deadlines,
  ManifestDocument,
  RegistryOptions,
  RetryOptions,
} from './options.js'
export { type CallOptions, Repository } from './repository.js'
export type { SearchResult } from './search.js'
export type { BlobSource, UploadOptions } from './upload.js'
