import type { AccessEntry } from './access-log.js'
import type { LocalImages } from './local.js'
import type { Policy } from './policy.js'

export interface RegistryOptions {
  /** Directory of the registry's content; with `store`, of what it knows beside the store. */
  root: string
  /** Serve images of this store too, and put what is pushed there. Default: only what was pushed to `root`. */
  store?: LocalImages
  /** Default `127.0.0.1`. */
  host?: string
  /** Default 5000; 0 takes a free one. */
  port?: number
  /** Serve https: paths of PEM files. */
  tls?: { cert: string; key: string }
  /** File of accounts: `name:bcrypt hash` lines. Read again when it changes. Default: no accounts, everybody may do everything. */
  htpasswd?: string
  /** Who may do what: a JSON file, read again when it changes, or its content. Default: an account may do everything. */
  policy?: string | Policy
  /** Listen beyond loopback without https or without accounts. Default false. */
  insecure?: boolean
  /**
   * Believe `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`: a proxy in front, which ends https, sets them.
   * Default false.
   */
  behindProxy?: boolean
  /** Answer reads only. Default false. */
  readonly?: boolean
  /** Cache this registry (`https://[user:password@]host[:port]`) instead of taking pushes. */
  proxy?: string
  /** Largest blob in bytes. Default 100 GiB. */
  maxBlobBytes?: number
  /** Uploads begun and not ended, over all repositories. Default 1000. */
  maxUploads?: number
  /** Bytes of content above which uploads are refused. Default: no limit. */
  quotaBytes?: number
  /** Least bytes a second that a transfer moves. Default 256. */
  minBytesPerSecond?: number
  /** Milliseconds over which that is measured. Default half a minute. */
  paceMs?: number
  /** Milliseconds between collections of garbage; 0: none. Default one hour. */
  collectEveryMs?: number
  /** Milliseconds that content which no manifest names, and an unfinished upload, stay. Default one day. */
  graceMs?: number
  /** Told of every request when it has been answered. */
  onAccess?: (entry: AccessEntry) => void
}

/** What a collection of garbage removed. */
export interface CollectedGarbage {
  blobs: number
  bytes: number
  uploads: number
}

/** A registry that serves. */
export interface RegistryServer {
  /** `http://host:port`, or `https://`. */
  readonly url: string
  /** `host:port`, the first part of a reference. */
  readonly address: string
  readonly port: number
  /** Removes content that no manifest names for longer than the grace time, while serving. */
  collect(): Promise<CollectedGarbage>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
