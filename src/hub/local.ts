import type { Readable } from 'node:stream'
import type { ContentStore } from '../content/index.js'
import type { Digest } from '../oci/index.js'

/** A name of an image in a local store, as a registry shows it. */
export interface LocalTag {
  /** Repository. */
  name: string
  tag: string
  /** What it stands for: a manifest or an index. */
  digest: Digest
  mediaType: string
  /** Bytes of that document. */
  size: number
  /** Milliseconds since the epoch. */
  updatedAt: number
}

/** A document of a local image. */
export interface LocalManifest {
  mediaType: string
  size: number
}

/**
 * Images that are on this machine, in a store that others use at the same time. What the registry needs of it; an engine
 * implements it.
 */
export interface LocalImages {
  /** Where blobs are kept: what is pushed goes here. */
  readonly content: ContentStore
  /** A file of locks: held shared while something new is named, so that no collection overlooks it. */
  readonly collectLock: string
  /** The registry listens now: names that begin with one of these addresses are its own. */
  announce(addresses: readonly string[], readonly: boolean): { close(): void }
  /** Every tag, one for each repository and tag: the one that changed last. */
  tags(): LocalTag[]
  /** A tag with everything that it needs, made if need be. */
  complete(tag: LocalTag): Promise<LocalTag>
  /** Whether a repository's images have a manifest. */
  manifest(name: string, digest: Digest): LocalManifest | undefined
  /** Whether a repository's images have a blob. */
  hasBlob(name: string, digest: Digest): boolean
  /** Bytes of a layer that is kept as files only, and can be made from them. */
  layerSize(digest: Digest): number | undefined
  /** That layer's stream. It ends with an error when the files give another one. */
  layerStream(digest: Digest): Readable
  /** Makes what was pushed an image here, unless it is none for this machine. */
  land(tag: Omit<LocalTag, 'updatedAt'>): Promise<void>
  /** Takes a tag off. */
  untag(name: string, tag: string): Promise<void>
  /** Removes what nothing names. @returns what went */
  collect(): Promise<{ blobs: number; bytes: number }>
}
