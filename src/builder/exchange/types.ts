import type { Descriptor, Digest } from '../../oci/index.js'

/** Where cached steps are brought from. */
export type CacheSource =
  | { type: 'registry'; ref: string }
  /** An OCI layout. `tag` names the entry of its index, default `latest`; or `digest` does. */
  | { type: 'local'; src: string; tag?: string; digest?: string }

/** Where the steps of a build are put for others. */
export type CacheTarget = (
  | { type: 'registry'; ref: string }
  | { type: 'local'; dest: string; tag?: string }
  /** In the image's own configuration, for those who pull it. Only `min`. */
  | { type: 'inline' }
) & {
  /** `min`: steps whose layers the image has; `max`: those of all stages. Default `min`. */
  mode?: 'min' | 'max'
  /** Default `gzip`. */
  compression?: 'gzip' | 'zstd'
  /** An image manifest instead of an index holds it: some registries want that. Default false. */
  imageManifest?: boolean
  /** A failure to put it there is no failure of the build. Default false. */
  ignoreError?: boolean
}

/** A registry's repository or an OCI layout; the engine gives it. */
export interface CachePlace {
  /** For people. */
  name: string
  /** The document that is found by the place's name, or one by its digest; undefined: there is none. */
  document(digest: Digest | undefined, signal: AbortSignal): Promise<Buffer | undefined>
  has(blob: Descriptor, signal: AbortSignal): Promise<boolean>
  /** Writes a blob, verified, to a new file. */
  fetch(blob: Descriptor, path: string, signal: AbortSignal): Promise<void>
  store(blob: Descriptor, path: string, signal: AbortSignal): Promise<void>
  /** Gives the place's name to a document whose blobs are all there. */
  publish(bytes: Buffer, mediaType: string, signal: AbortSignal): Promise<void>
}

/** Compresses a layer into a file. */
export type PackLayer = (
  directory: string,
  output: number,
  compression: 'gzip' | 'zstd',
  signal: AbortSignal,
) => Promise<{ digest: string; diffId: string; written: number }>
