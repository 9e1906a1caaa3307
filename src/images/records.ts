import { readdirSync, readFileSync, statSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isTemporaryName, syncDirectory, writeFileDurably } from '../content/index.js'
import { type ChainId, type Descriptor, type Digest, type ImageId, isDigest, type Platform } from '../oci/index.js'
import { isImageFile, type Layout } from './layout.js'

/** A name for an image. */
export interface ReferenceRecord {
  /** Canonical. */
  reference: string
  imageId: ImageId
  /** What the name stands for in a registry: an index, or the manifest itself. */
  target: Descriptor
  /** The manifest of this platform. */
  manifest: Digest
  /** Set when a registry named the target so: it is a `name@digest` then. */
  repoDigest?: Digest
  /** Everything that must stay for this name: target, manifest, configuration, layers. */
  content: Digest[]
  /** Milliseconds since the epoch. */
  updatedAt: number
}

/** An image that is here, with or without a name. */
export interface ImageRecord {
  imageId: ImageId
  manifest: Descriptor
  platform: Platform
  /** Lowest first. */
  chainIds: ChainId[]
  content: Digest[]
  /** Milliseconds since the epoch, from the configuration; 0 when it does not say. */
  createdAt: number
  /** Bytes of the unpacked layers. */
  size: number
  labels: Record<string, string>
}

interface Cached {
  ino: number
  mtimeMs: number
  ctimeMs: number
  value: unknown
}

/**
 * The store's small facts: a file each, replaced by rename. Reads are cached by inode and time, so what another process
 * changes is seen. A damaged file counts as absent.
 */
export class Records {
  readonly #layout: Layout
  readonly #cache = new Map<string, Cached>()

  constructor(layout: Layout) {
    this.#layout = layout
  }

  reference(reference: string): ReferenceRecord | undefined {
    return this.#read(this.#layout.referencePath(reference), isReferenceRecord)
  }

  image(id: ImageId): ImageRecord | undefined {
    return this.#read(this.#layout.imagePath(id), isImageRecord)
  }

  references(): ReferenceRecord[] {
    return this.#all((name) => !isImageFile(name), isReferenceRecord)
  }

  images(): ImageRecord[] {
    return this.#all(isImageFile, isImageRecord)
  }

  async writeReference(record: ReferenceRecord): Promise<void> {
    await writeFileDurably(this.#layout.referencePath(record.reference), serialize(record))
  }

  async writeImage(record: ImageRecord): Promise<void> {
    await writeFileDurably(this.#layout.imagePath(record.imageId), serialize(record))
  }

  async removeReference(reference: string): Promise<void> {
    await this.#remove(this.#layout.referencePath(reference))
  }

  async removeImage(id: ImageId): Promise<void> {
    await this.#remove(this.#layout.imagePath(id))
  }

  async #remove(path: string): Promise<void> {
    this.#cache.delete(path)
    await unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    await syncDirectory(this.#layout.images)
  }

  #all<T>(wanted: (name: string) => boolean, valid: (value: unknown) => value is T): T[] {
    return readdirSync(this.#layout.images)
      .filter((name) => name.endsWith('.json') && !isTemporaryName(name) && wanted(name))
      .map((name) => this.#read(join(this.#layout.images, name), valid))
      .filter((record) => record !== undefined)
  }

  #read<T>(path: string, valid: (value: unknown) => value is T): T | undefined {
    const info = statSync(path, { throwIfNoEntry: false })
    if (info === undefined) {
      this.#cache.delete(path)
      return undefined
    }
    const cached = this.#cache.get(path)
    if (cached?.ino === info.ino && cached.mtimeMs === info.mtimeMs && cached.ctimeMs === info.ctimeMs) {
      return cached.value as T | undefined
    }
    const value = parse(path, valid)
    this.#cache.set(path, { ino: info.ino, mtimeMs: info.mtimeMs, ctimeMs: info.ctimeMs, value })
    return value
  }
}

export function serialize(record: ReferenceRecord | ImageRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`
}

function parse<T>(path: string, valid: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return valid(value) ? value : undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (error instanceof SyntaxError || code === 'ENOENT') return undefined
    throw error
  }
}

function isReferenceRecord(value: unknown): value is ReferenceRecord {
  const record = value as Partial<ReferenceRecord> | null
  return (
    typeof record?.reference === 'string' &&
    isDigest(record.imageId) &&
    isDigest(record.manifest) &&
    isDigest(record.target?.digest) &&
    isDigestList(record.content)
  )
}

function isImageRecord(value: unknown): value is ImageRecord {
  const record = value as Partial<ImageRecord> | null
  return (
    isDigest(record?.imageId) &&
    isDigest(record.manifest?.digest) &&
    typeof record.platform?.architecture === 'string' &&
    isDigestList(record.chainIds) &&
    isDigestList(record.content)
  )
}

function isDigestList(value: unknown): value is Digest[] {
  return Array.isArray(value) && value.every(isDigest)
}
