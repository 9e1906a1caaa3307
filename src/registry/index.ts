export { type Challenge, parseChallenges } from './challenge.js'
export { RegistryClient } from './client.js'
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
export type { BlobSource } from './upload.js'
