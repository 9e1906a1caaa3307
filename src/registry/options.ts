import type { Digest } from '../oci/index.js'

/** A secret for one registry. Never logged, never part of an error. */
export type Credentials =
  | { username: string; password: string }
  /** OAuth2 refresh token, as `docker login` keeps it for some registries. */
  | { identityToken: string }
  /** A bearer token that is sent as it is. */
  | { registryToken: string }

/**
 * Where credentials come from.
 *
 * @param registry host with port as in a reference, for example `docker.io` or `localhost:5000`
 */
export type CredentialProvider = (registry: string) => Promise<Credentials | undefined> | Credentials | undefined

export interface RegistryOptions {
  /** Default: anonymous. */
  credentials?: CredentialProvider
  /**
   * Registries that may be spoken to by plain http, and by https with any certificate. `localhost`, 127.0.0.0/8 and
   * `::1` always may, as in Docker. `10.0.0.0/8` names every address of a network.
   */
  insecure?: readonly string[]
  /** Base URLs tried before a registry's own for pulls, for example `{ 'docker.io': ['https://mirror.example'] }`. */
  mirrors?: Readonly<Record<string, readonly string[]>>
  /** Folders with a folder per registry: `<host[:port]>/*.crt` (authorities), `*.cert` with `*.key` (client). */
  certificates?: string | readonly string[]
  /** PEM files of further authorities, trusted for every registry. A file that cannot be read is left out, as Node does. */
  authorities?: readonly string[]
  /** Never used for loopback addresses. */
  proxy?: { http?: string; https?: string; noProxy?: string }
  /** Default `jubako`. */
  userAgent?: string
  retry?: Partial<RetryOptions>
  deadlines?: Partial<Deadlines>
}

export interface RetryOptions {
  /** Tries of one request, or of one download without progress. Default 5. */
  attempts: number
  /** Milliseconds before the second try; doubled for each further one. Default 500. */
  firstDelayMs: number
  /** Default 8000. */
  maxDelayMs: number
  /** A registry that asks for a longer pause (`Retry-After`) is an error. Default 60000. */
  maxRetryAfterMs: number
}

export interface Deadlines {
  /** Default 30000. */
  connectMs: number
  /** From the request to the answer's headers. Default 60000. */
  headersMs: number
  /** A body that brings less than `stallBytesPerSecond` over this time is cut. Default 30000. */
  stallMs: number
  /** Default 1024. */
  stallBytesPerSecond: number
}

export const RETRY: RetryOptions = { attempts: 5, firstDelayMs: 500, maxDelayMs: 8000, maxRetryAfterMs: 60_000 }

export const DEADLINES: Deadlines = { connectMs: 30_000, headersMs: 60_000, stallMs: 30_000, stallBytesPerSecond: 1024 }

/** Where a download goes: content that knows how much of it is there. */
export interface BlobSink {
  /** Bytes taken so far. */
  readonly offset: number
  write(chunk: Uint8Array): Promise<void>
  restart(): Promise<void>
}

/** A manifest or index as the registry sent it, its digest verified. */
export interface ManifestDocument {
  bytes: Buffer
  /** The answer's Content-Type without parameters. */
  mediaType: string
  digest: Digest
}
