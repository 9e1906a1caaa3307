import { readdirSync, readFileSync, statSync } from 'node:fs'
import { unlink } from 'node:fs/promises'
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

/** All records, as the directory was at one moment. */
interface Listing {
  mtimeNs: bigint
  references: ReferenceRecord[]
  images: ImageRecord[]
  /** What was made of them. */
  derived: Map<(records: Records) => unknown, unknown>
}

/**
 * Times of a directory have the grain of the kernel's clock: one that changed so shortly before it was read may have
 * changed again in the same tick.
 */
const SETTLED_NS = 100_000_000n

/**
 * The store's small facts: a file each, replaced by rename. Reads are cached by inode and time, lists by the time of the
 * directory, so what another process changes is seen. A damaged file counts as absent.
 */
export class Records {
  readonly #layout: Layout
  readonly #cache = new Map<string, Cached>()
  #listing: Listing | undefined
  #pinned: Listing | undefined

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
    return [...this.#list().references]
  }

  images(): ImageRecord[] {
    return [...this.#list().images]
  }

  /** What `make` makes of all records; made again only when one has changed. The result is shared: do not alter it. */
  derive<T>(make: (records: Records) => T): T {
    const listing = this.#list()
    const known = listing.derived.get(make)
    if (known !== undefined) return known as T
    // What is made asks for the records again, and is done before anybody else has a turn.
    this.#pinned = listing
    try {
      const made = make(this)
      listing.derived.set(make, made)
      return made
    } finally {
      this.#pinned = undefined
    }
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

  #list(): Listing {
    if (this.#pinned !== undefined) return this.#pinned
    const { images: directory } = this.#layout
    const { mtimeNs } = statSync(directory, { bigint: true })
    if (this.#listing?.mtimeNs === mtimeNs) return this.#listing
    const settled = BigInt(Date.now()) * 1_000_000n - mtimeNs > SETTLED_NS
    const listing: Listing = { mtimeNs, references: [], images: [], derived: new Map() }
    for (const name of readdirSync(directory)) {
      if (!name.endsWith('.json') || isTemporaryName(name)) continue
      const path = `${directory}/${name}`
      if (isImageFile(name)) add(listing.images, parse(path, isImageRecord))
      else add(listing.references, parse(path, isReferenceRecord))
    }
    this.#listing = settled ? listing : undefined
    return listing
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

function add<T>(list: T[], record: T | undefined): void {
  if (record !== undefined) list.push(record)
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

/** Digests that were looked at: images share most of theirs, and each is in several records. */
const known = new Set<string>()
const KNOWN_LIMIT = 100_000

function isDigestList(value: unknown): value is Digest[] {
  return Array.isArray(value) && value.every((item) => known.has(item as string) || isNewDigest(item))
}

function isNewDigest(value: unknown): boolean {
  if (!isDigest(value)) return false
  if (known.size >= KNOWN_LIMIT) known.clear()
  known.add(value)
  return true
}
