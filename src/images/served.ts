import type { Readable } from 'node:stream'
import type { ContentStore } from '../content/index.js'
import { isJubakoError } from '../errors/index.js'
import {
  type ChainId,
  type Descriptor,
  type Digest,
  documentKind,
  familiarName,
  familiarReference,
  formatReference,
  hostPlatform,
  LIMITS,
  layerCompression,
  parseManifest,
  parseReference,
} from '../oci/index.js'
import { chooseImage } from './document.js'
import { contentOf, type Installer } from './install.js'
import type { Lease } from './lease.js'
import type { ImageRecord, Records, ReferenceRecord } from './records.js'

/** A name of an image here, as a registry on this machine shows it. */
export interface ServedTag {
  /** Repository. */
  name: string
  tag: string
  digest: Digest
  mediaType: string
  /** Bytes of the document. */
  size: number
  updatedAt: number
}

export interface ServedParts {
  content: ContentStore
  records: Records
  installer: Installer
  /** Addresses of the registry, the first one for names that are made. */
  addresses: readonly string[]
  leased: <T>(work: (lease: Lease) => Promise<T>) => Promise<T>
  assign: (record: ReferenceRecord) => Promise<void>
  /** Makes the archives that a name needs and that are not here. */
  complete: (record: ReferenceRecord) => Promise<ReferenceRecord>
  layerTar: (chainId: ChainId) => Readable
  remove: (reference: string) => Promise<unknown>
}

interface Stored {
  mediaType: string
  size: number
}

interface Repository {
  manifests: Map<Digest, Stored>
  blobs: Set<Digest>
}

/** What a registry has of the records at one moment. */
interface View {
  tags: ServedTag[]
  byReference: Map<string, ReferenceRecord>
  repositories: Map<string, Repository>
  /** Layers that are kept as files, by the digest of their stream. */
  layers: Map<Digest, { chainId: ChainId; size: number }>
}

/**
 * The images of a store as repositories of a registry. A name at one of the registry's own addresses is shown without it, any
 * other by its familiar form: `app:1` is `app:1`, `quay.io/a/b` is `quay.io/a/b`. Nothing is copied: layers without an
 * archive are sent as the streams that their digests name.
 */
export class ServedImages {
  readonly #view: (records: Records) => View

  constructor(private readonly parts: ServedParts) {
    this.#view = (records) => this.#make(records)
  }

  get #now(): View {
    return this.parts.records.derive(this.#view)
  }

  tags(): ServedTag[] {
    return this.#now.tags
  }

  manifest(name: string, digest: Digest): Stored | undefined {
    return this.#now.repositories.get(name)?.manifests.get(digest)
  }

  hasBlob(name: string, digest: Digest): boolean {
    return this.#now.repositories.get(name)?.blobs.has(digest) ?? false
  }

  layerSize(digest: Digest): number | undefined {
    return this.#now.layers.get(digest)?.size
  }

  layerStream(digest: Digest): Readable {
    return this.parts.layerTar(this.#now.layers.get(digest)!.chainId)
  }

  /** A tag with every blob here, or one that can be made while it is sent. */
  async complete(tag: ServedTag): Promise<ServedTag> {
    const record = this.#record(tag)
    if (record === undefined || this.#isComplete(record)) return tag
    await this.parts.complete(record)
    return this.tags().find(({ name, tag: other }) => name === tag.name && other === tag.tag) ?? tag
  }

  /** Makes what was pushed an image here. Nothing happens for what is none, or none for this machine. */
  async land(tag: Omit<ServedTag, 'updatedAt'>): Promise<void> {
    const { content, installer, assign, leased } = this.parts
    const [address = ''] = this.parts.addresses
    const reference = `${address}/${tag.name}:${tag.tag}`
    const target: Descriptor = { mediaType: tag.mediaType, digest: tag.digest, size: tag.size }
    const fetch = async () => undefined
    const what = familiarReference(parseReference(reference))
    try {
      const wanted = { platform: hostPlatform(), explicit: false }
      const image = await chooseImage(content, { fetch }, target, wanted, what)
      await leased(async (lease) => {
        await installer.install(image, { what, lease, fetchLayer: fetch, onProgress: undefined, signal: undefined })
        await assign({
          reference: formatReference(parseReference(reference)),
          imageId: image.imageId,
          target,
          manifest: image.descriptor.digest,
          repoDigest: tag.digest,
          content: contentOf(image),
          updatedAt: Date.now(),
        })
      })
    } catch (error) {
      // An artifact, other platforms only, layers that do not unpack: it is in the registry, and no image here.
      const none = [
        'ERR_JUBAKO_NOT_FOUND',
        'ERR_JUBAKO_UNSUPPORTED',
        'ERR_JUBAKO_INTEGRITY',
        'ERR_JUBAKO_LIMIT_EXCEEDED',
      ] as const
      if (!isJubakoError(error, ...none)) throw error
    }
  }

  /** Takes a tag off every name here that the registry shows as it. */
  async untag(name: string, tag: string): Promise<void> {
    for (const { reference } of this.parts.records.references()) {
      const parsed = parseReference(reference)
      if (parsed.tag === tag && this.#nameOf(reference) === name) await this.parts.remove(reference)
    }
  }

  #record({ name, tag, digest }: ServedTag): ReferenceRecord | undefined {
    return [...this.#now.byReference.values()]
      .filter((record) => parseReference(record.reference).tag === tag && this.#nameOf(record.reference) === name)
      .find((record) => servedDocument(this.parts.content, this.parts.records, record).digest === digest)
  }

  #isComplete(record: ReferenceRecord): boolean {
    return record.content.every((digest) => this.parts.content.has(digest) || this.layerSize(digest) !== undefined)
  }

  #nameOf(reference: string): string {
    const parsed = parseReference(reference)
    return this.parts.addresses.includes(parsed.domain) ? parsed.path : familiarName(parsed)
  }

  #make(records: Records): View {
    const view: View = { tags: [], byReference: new Map(), repositories: new Map(), layers: new Map() }
    for (const image of records.images()) {
      for (const [digest, layer] of keptLayers(this.parts.content, image)) view.layers.set(digest, layer)
    }
    const newest = new Map<string, ServedTag>()
    for (const record of records.references()) {
      const { tag } = parseReference(record.reference)
      const name = this.#nameOf(record.reference)
      view.byReference.set(record.reference, record)
      if (tag === undefined) continue
      const repository = view.repositories.get(name) ?? { manifests: new Map(), blobs: new Set() }
      view.repositories.set(name, repository)
      for (const digest of record.content) repository.blobs.add(digest)
      const document = servedDocument(this.parts.content, records, record)
      repository.manifests.set(document.digest, document)
      for (const child of childrenOf(this.parts.content, document)) repository.manifests.set(child.digest, child)
      const key = `${name}:${tag}`
      const updatedAt = record.updatedAt ?? 0
      if ((newest.get(key)?.updatedAt ?? -1) <= updatedAt) newest.set(key, { name, tag, ...document, updatedAt })
    }
    view.tags = [...newest.values()]
    return view
  }
}

/** Layers whose manifest names the plain stream, which is not kept. */
function keptLayers(store: ContentStore, image: ImageRecord): [Digest, { chainId: ChainId; size: number }][] {
  const { manifest, chainIds, content } = image
  if (content.every((digest) => store.has(digest))) return []
  const document = read(store, manifest)
  if (document?.kind !== 'manifest') return []
  return document.layers.flatMap(({ digest, size, mediaType }, i) => {
    const chainId = chainIds[i]
    if (chainId === undefined || layerCompression(mediaType) !== 'none' || store.has(digest)) return []
    return [[digest, { chainId, size }]]
  })
}

/** What a name goes out as; undefined when archives have to be made first. */
export function servedTarget(content: ContentStore, records: Records, record: ReferenceRecord): Descriptor | undefined {
  const image = records.image(record.imageId)
  const kept = new Set(image === undefined ? [] : keptLayers(content, image).map(([digest]) => digest))
  if (!record.content.every((digest) => content.has(digest) || kept.has(digest))) return undefined
  return servedDocument(content, records, record)
}

function read(content: ContentStore, { digest, mediaType }: Pick<Descriptor, 'digest' | 'mediaType'>) {
  try {
    const announced = documentKind(mediaType) === undefined ? undefined : mediaType
    return parseManifest(content.readSync(digest, LIMITS.manifestBytes), announced, digest)
  } catch {
    return undefined
  }
}

const bare = ({ mediaType, digest, size }: Descriptor): Descriptor => ({ mediaType, digest, size })

/** Manifests of an index that are here. */
function childrenOf(content: ContentStore, document: Descriptor): Descriptor[] {
  if (documentKind(document.mediaType) !== 'index') return []
  const index = read(content, document)
  return index?.kind === 'index' ? index.manifests.filter(({ digest }) => content.has(digest)).map(bare) : []
}

/** An index goes out when all of it is here, else the manifest of the image that is. */
function servedDocument(content: ContentStore, records: Records, record: ReferenceRecord): Descriptor {
  const { target } = record
  if (documentKind(target.mediaType) !== 'index') return bare(target)
  const index = read(content, target)
  const whole =
    index?.kind === 'index' &&
    index.manifests.every((entry) => {
      const manifest = read(content, entry)
      if (manifest?.kind !== 'manifest') return false
      return [manifest.config, ...manifest.layers].every(({ digest }) => content.has(digest))
    })
  if (whole) return bare(target)
  const own = index?.kind === 'index' ? index.manifests.find(({ digest }) => digest === record.manifest) : undefined
  const image = records.image(record.imageId)
  return bare(own ?? (image === undefined ? target : image.manifest))
}
