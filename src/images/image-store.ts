import { Readable } from 'node:stream'
import { ContentStore } from '../content/index.js'
import { invalidArgument, JubakoError } from '../errors/index.js'
import { syncFileSystem } from '../native/storage.js'
import {
  type ChainId,
  type Digest,
  digestOf,
  familiarReference,
  favorDigest,
  formatReference,
  hostPlatform,
  type ImageId,
  type Platform,
  parsePlatform,
  parseReference,
  platformMatches,
  type Reference,
  repositoryName,
  withDefaultTag,
} from '../oci/index.js'
import { RegistryClient, type RegistryOptions } from '../registry/index.js'
import { adoptImage, type BuiltImage } from './adopt.js'
import { isBuiltin, storeBuiltin } from './builtin.js'
import { type Collected, collect } from './collect.js'
import { type ComposeOptions, composeImage } from './compose.js'
import { imageDetails } from './details.js'
import { chooseImage } from './document.js'
import { historyOf, type ImageHistoryEntry } from './history.js'
import { importImage } from './import.js'
import { contentOf, Installer } from './install.js'
import { LayerScratch } from './layer-scratch.js'
import { LayerStore } from './layer-store.js'
import { layerTar } from './layer-tar.js'
import { Layout } from './layout.js'
import { Lease } from './lease.js'
import { summarize } from './list.js'
import type { OuterDecoders } from './load/decompress.js'
import { loadImages } from './load/load.js'
import { type CompressedLayer, compressLayer, materialize } from './materialize.js'
import { reportLine } from './progress.js'
import { pruneImages } from './prune.js'
import { pullImage } from './pull.js'
import { pullAllTags } from './pull-all.js'
import { pushImages } from './push.js'
import { pushHere } from './push-here.js'
import { type ImageRecord, Records, type ReferenceRecord } from './records.js'
import { digestReference, removeImage } from './remove.js'
import { Resolver } from './resolve.js'
import { saveImages } from './save/save.js'
import { selectImages } from './save/select.js'
import { ServedImages } from './served.js'
import { SnapshotStore } from './snapshots.js'
import type {
  ExternalRoots,
  ImageDetails,
  ImageSummary,
  ImportedImage,
  ImportOptions,
  LayerPacker,
  LayerUnpacker,
  LoadedImage,
  OperationOptions,
  PrunedImages,
  PruneImagesOptions,
  PullOptions,
  PullPolicy,
  PullResult,
  PushedImage,
  PushOptions,
  RegistryCallOptions,
  RemovedImage,
  RemoveOptions,
  ResolvedImage,
  SaveOptions,
} from './types.js'

export interface ImageStoreOptions {
  /** Data root. Made if missing. */
  root: string
  unpacker: LayerUnpacker
  /**
   * Do not keep the archives of layers that are unpacked: half the disk. What needs them makes them again of the layers'
   * files, with digests that may be new. Default false.
   */
  dropBlobs?: boolean
  /** Makes the archives of layers that have none here. Default: they cannot be had. */
  packer?: LayerPacker
  /** A function is called at the first use of a registry. */
  registry?: RegistryOptions | (() => RegistryOptions)
  /** Path of the static program of the built-in image `jubako/hello`; without it that name is a name like any other. */
  helloProgram?: string
  /** What containers keep alive. Default: nothing. */
  roots?: () => Promise<ExternalRoots> | ExternalRoots
  /**
   * Told of what happened: Docker's action (`pull`, `push`, `load`, `save`, `import`, `tag`, `untag`, `delete`), the image's ID, or for `pull`
   * and `push` its reference, and the name that Docker gives with it.
   */
  onEvent?: (action: string, id: string, name: string) => void
  /** Whether the registry at this address serves this very store, and takes pushes. */
  ownRegistry?: (domain: string) => boolean
  /** Decoders of compressed archives for `load` that this Node does not have. */
  decoders?: OuterDecoders
}

/**
 * Images on this machine: pulled, loaded, named, removed. Any number of processes use one data root at the same time.
 * What is reported as there is whole and on the disk.
 */
export class ImageStore {
  readonly content: ContentStore
  readonly layers: LayerStore
  readonly snapshots: SnapshotStore
  readonly #layout: Layout
  readonly #records: Records
  readonly #resolver: Resolver
  readonly #installer: Installer
  readonly #options: ImageStoreOptions
  #registry: RegistryClient | undefined

  private constructor(options: ImageStoreOptions) {
    this.#options = options
    this.#layout = new Layout(options.root)
    this.content = new ContentStore(options.root)
    this.layers = new LayerStore(this.#layout)
    this.snapshots = new SnapshotStore(this.#layout)
    this.#records = new Records(this.#layout)
    this.#resolver = new Resolver(this.layers, this.content, this.#records)
    this.#installer = new Installer(this.content, this.layers, this.#records, options.unpacker)
  }

  /** Opens a store. Costs a few system calls; see {@link sweep} for what crashes left. */
  static open(options: ImageStoreOptions): ImageStore {
    return new ImageStore(options)
  }

  /**
   * The image of a name, tag, digest, ID or unique beginning of an ID. Synchronous and fast.
   *
   * @throws JubakoError `ERR_JUBAKO_NOT_FOUND`, `ERR_JUBAKO_INVALID_REFERENCE`
   */
  resolve(nameOrId: string, options: { platform?: string | Platform | undefined } = {}): ResolvedImage {
    return this.#resolver.resolve(nameOrId, options.platform)
  }

  /** As {@link resolve}, pulling first as the policy says. Default `missing`. */
  async ensure(nameOrId: string, options: PullOptions & { policy?: PullPolicy } = {}): Promise<ResolvedImage> {
    const { policy = 'missing', platform } = options
    const local = policy === 'always' ? undefined : this.#tryResolve(nameOrId, platform)
    if (local !== undefined) return local
    if (policy === 'never') return this.resolve(nameOrId, { platform })
    const { reference } = await this.pull(nameOrId, options)
    return this.resolve(reference, { platform })
  }

  /** Brings an image from its registry, or finds that it is up to date. */
  async pull(name: string, options: PullOptions = {}): Promise<PullResult> {
    const reference = favorDigest(withDefaultTag(parseReference(name)))
    const { helloProgram } = this.#options
    if (helloProgram !== undefined && isBuiltin(reference)) {
      const result = await this.#leased((lease) => this.#makeBuiltin(helloProgram, reference, lease, options))
      this.#tellOf('pull', reference)
      return result
    }
    return this.#withRegistry(options.auth, (registry) => this.#pull(registry, reference, options))
  }

  async #pull(registry: RegistryClient, reference: Reference, options: PullOptions): Promise<PullResult> {
    const result = await this.#leased((lease) =>
      pullImage(
        {
          content: this.content,
          records: this.#records,
          installer: this.#installer,
          registry,
          lease,
          isComplete: (record) => this.#isComplete(record),
          assign: (record) => this.#assign(record),
        },
        reference,
        options,
      ),
    )
    this.#tellOf('pull', reference)
    return result
  }

  /**
   * Brings every tag of a repository that has an image for the platform.
   *
   * @throws JubakoError as {@link pull}; what came before stays
   */
  pullAll(name: string, options: PullOptions = {}): Promise<PullResult[]> {
    const reference = parseReference(name)
    if (reference.tag !== undefined || reference.digest !== undefined) {
      throw invalidArgument("tag can't be used with --all-tags/-a")
    }
    return this.#withRegistry(options.auth, (registry) =>
      pullAllTags(registry.repository(reference), reference, options, (one, each) => this.#pull(registry, one, each)),
    )
  }

  /**
   * Sends an image to its registry, or with `allTags` every tag of a repository.
   *
   * @returns one for each tag
   */
  async push(name: string, options: PushOptions = {}): Promise<PushedImage[]> {
    const parsed = parseReference(name)
    if (parsed.digest !== undefined) throw invalidArgument('cannot push a digest reference')
    if (options.allTags && parsed.tag !== undefined) throw invalidArgument("tag can't be used with --all-tags/-a")
    const reference = options.allTags ? parsed : withDefaultTag(parsed)
    const { content } = this
    const isHere = options.platform === undefined && this.#options.ownRegistry?.(reference.domain) === true
    const already = isHere ? await pushHere({ content, records: this.#records }, reference, options) : undefined
    if (already !== undefined) {
      this.#tellOf('push', reference)
      return already
    }
    const pushed = await this.#leased((lease) =>
      this.#withRegistry(options.auth, (registry) => {
        reportLine(options.onProgress, `The push refers to repository [${repositoryName(reference)}]`)
        const complete = (record: ReferenceRecord) => this.#complete(record, lease, options)
        return pushImages({ content, records: this.#records, registry, lease, complete }, reference, options)
      }),
    )
    this.#tellOf('push', reference)
    return pushed
  }

  /**
   * Loads the images of a `docker save` archive or an OCI layout.
   *
   * @param source path (file, or layout directory) or the archive's bytes
   */
  async load(source: string | Readable, options: PullOptions = {}): Promise<LoadedImage[]> {
    const loaded = await this.#leased((lease) =>
      loadImages(
        {
          content: this.content,
          installer: this.#installer,
          lease,
          decoders: this.#options.decoders ?? {},
          assign: (record) => this.#assignLoaded(record),
        },
        source,
        options,
      ),
    )
    for (const { imageId } of loaded) this.#options.onEvent?.('load', imageId, imageId)
    // An archive brings what no image needs, such as its own lists.
    await this.collect()
    return loaded
  }

  /**
   * Makes an image of the archive of a root file system (tar: plain, gzip, zstd).
   *
   * @param name undefined: an image without a name
   */
  async import(source: Readable, name: string | undefined, options: ImportOptions = {}): Promise<ImportedImage> {
    const reference = name === undefined ? undefined : withDefaultTag(parseReference(name))
    if (reference?.digest !== undefined) throw invalidArgument('cannot import digest reference')
    const { content, layers } = this
    const { unpacker, decoders = {} } = this.#options
    const parts = { layout: this.#layout, records: this.#records, content, layers, unpacker, decoders }
    const imported = await this.#leased((lease) =>
      importImage({ ...parts, lease, assign: (record) => this.#assign(record) }, source, reference, options),
    )
    const shown = reference === undefined ? imported.imageId : familiarReference(reference)
    this.#options.onEvent?.('import', imported.imageId, shown)
    return imported
  }

  /** Makes an image of another one and of layers that are directories; no archive is made. */
  compose(options: ComposeOptions): Promise<ImageId> {
    const { content, layers } = this
    return this.#leased((lease) =>
      composeImage(
        { content, layers, records: this.#records, lease, assign: (record) => this.#assign(record) },
        options,
      ),
    )
  }

  /** A directory for a layer that is made before its digest is known. The caller removes it. */
  layerScratch(): LayerScratch {
    return LayerScratch.make(this.#layout, this.layers, { packer: this.#packer, unpacker: this.#options.unpacker })
  }

  /**
   * A layer's tar stream, made of its files: always the same, and the one that its diffID names if the layer was made here.
   * Otherwise it may end with `ERR_JUBAKO_INTEGRITY`.
   */
  layerTar(chainId: ChainId): Readable {
    return layerTar(this.layers, this.#packer, chainId)
  }

  /** Puts a layer's archive, made of its files, into the content store. Collected unless something names it soon. */
  compressLayer(
    chainId: ChainId,
    options: { compression?: 'gzip' | 'zstd'; signal?: AbortSignal } = {},
  ): Promise<CompressedLayer> {
    const { content, layers } = this
    return this.#leased(async (lease) => {
      await lease.protect(['blob *'], options.signal)
      return compressLayer({ content, layers, packer: () => this.#packer }, chainId, options)
    })
  }

  /**
   * The images as repositories of a registry on this machine.
   *
   * @param addresses the registry's, `host:port`
   * @param remove takes a name off; default {@link remove}
   */
  served(addresses: readonly string[], remove?: (reference: string) => Promise<unknown>): ServedImages {
    return new ServedImages({
      content: this.content,
      records: this.#records,
      installer: this.#installer,
      addresses,
      leased: (work) => this.#leased(work),
      assign: (record) => this.#assign(record),
      complete: (record) => this.#leased((lease) => this.#complete(record, lease, {})),
      layerTar: (chainId) => this.layerTar(chainId),
      remove: remove ?? ((reference) => this.remove(reference)),
    })
  }

  /** Held shared while something new is put under protection, exclusively by a collection. */
  get collectLock(): string {
    return this.#layout.collectLock
  }

  /** Begins and awaits the writing of everything to the disk. */
  sync(): Promise<void> {
    return syncFileSystem(this.#layout.root)
  }

  /**
   * Images as one archive, which is what `docker load` reads and an OCI image layout at once. What the names stand for is
   * decided when this is called; it stays until the stream has ended or is destroyed.
   *
   * @param names names (without a tag: every tag) and IDs
   * @throws JubakoError `ERR_JUBAKO_NOT_FOUND`
   */
  async save(names: readonly string[], options: SaveOptions = {}): Promise<Readable> {
    const lease = Lease.open(this.#layout)
    try {
      await lease.protect(['blob *'], options.signal)
      const images = await selectImages(
        this.content,
        this.#records,
        this.#resolver,
        names,
        options.platform,
        (record) => this.#complete(record, lease, options),
      )
      for (const { imageId } of images) this.#options.onEvent?.('save', imageId, imageId)
      const archive = Readable.from(saveImages(this.content, images, options.signal), { objectMode: false })
      archive.once('close', () => lease.release())
      return archive
    } catch (error) {
      lease.release()
      throw error
    }
  }

  /** The steps that made an image, newest first. */
  history(nameOrId: string, options: { platform?: string | Platform | undefined } = {}): ImageHistoryEntry[] {
    const image = this.resolve(nameOrId, options)
    return historyOf(image, this.summary(image.id).tags, (chainId) => this.layers.read(chainId)?.size ?? 0)
  }

  /** Removes images that nobody needs, and what only they needed. */
  prune(options: PruneImagesOptions & { inUse?: RemoveOptions['inUse'] } = {}): Promise<PrunedImages> {
    const parts = { records: this.#records, resolver: this.#resolver, inUse: options.inUse }
    const onRemoved = (line: RemovedImage, id: ImageId) =>
      this.#options.onEvent?.('untagged' in line ? 'untag' : 'delete', id, id)
    return pruneImages({ ...parts, onRemoved, collect: (signal) => this.collect(signal) }, options)
  }

  /** Makes an image of layers that a build made. */
  async adopt(image: BuiltImage): Promise<ImageId> {
    const { content, layers } = this
    const same = this.#records.image(digestOf(image.config) as ImageId)
    const named = image.references.every(
      (reference) => this.#records.reference(formatReference(reference))?.imageId === same?.imageId,
    )
    // Built again and nothing new: not even a lease is needed.
    if (same?.chainIds.every((chainId) => layers.has(chainId)) && named) return same.imageId
    const assign = (record: ReferenceRecord) => this.#assign(record)
    const id = await this.#leased((lease) =>
      adoptImage({ content, layers, records: this.#records, lease, assign }, image),
    )
    for (const reference of image.references) this.#options.onEvent?.('tag', id, familiarReference(reference))
    return id
  }

  /** All images, newest first. */
  list(): ImageSummary[] {
    return summarize(this.#records)
  }

  /** As {@link list}, with what images take. @param used IDs of images that containers use */
  details(used: ReadonlySet<string>): Promise<ImageDetails[]> {
    return imageDetails({ content: this.content, layers: this.layers, records: this.#records, used })
  }

  /** One row of {@link list}, by name or ID. */
  summary(nameOrId: string): ImageSummary {
    const { image } = this.#resolver.get(nameOrId)
    return summarize(this.#records).find((row) => row.id === image.imageId)!
  }

  /** Gives an image another name. An image that had the name stays, without it. */
  async tag(nameOrId: string, name: string): Promise<void> {
    const reference = withDefaultTag(parseReference(name))
    if (reference.digest !== undefined) {
      throw new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', 'refusing to create a tag with a digest reference')
    }
    await this.#leased(async (lease) => {
      const found = this.#resolver.get(nameOrId)
      await lease.protect(found.image.content.map((digest) => `blob ${digest}` as const))
      const { image } = this.#resolver.get(nameOrId)
      await this.#assign({
        reference: formatReference(reference),
        imageId: image.imageId,
        target: found.reference?.target ?? image.manifest,
        manifest: found.reference?.manifest ?? image.manifest.digest,
        content: found.reference?.content ?? image.content,
        updatedAt: Date.now(),
      })
      this.#options.onEvent?.('tag', image.imageId, familiarReference(reference))
    })
  }

  /**
   * Takes a name off an image, and removes the image with its last name.
   *
   * @returns what Docker prints, in its order
   * @throws JubakoError `ERR_JUBAKO_CONFLICT` when it is in use, `ERR_JUBAKO_NOT_FOUND`
   */
  async remove(nameOrId: string, options: RemoveOptions = {}): Promise<RemovedImage[]> {
    const found = this.#resolver.get(nameOrId)
    const removed = await removeImage(this.#records, found, nameOrId, options)
    const { imageId } = found.image
    for (const line of removed) this.#options.onEvent?.('untagged' in line ? 'untag' : 'delete', imageId, imageId)
    if (!removed.some((line) => 'deleted' in line)) return removed
    const gone = new Set((await this.collect()).layers)
    const layers = [...found.image.chainIds].reverse().filter((chainId) => gone.has(chainId))
    return [...removed, ...layers.map((deleted) => ({ deleted }))]
  }

  /** Removes blobs and layers that nothing needs. */
  collect(signal?: AbortSignal): Promise<Collected> {
    const roots = this.#options.roots ?? (() => ({ layers: [], images: [] }))
    const { content, layers, snapshots } = this
    return collect(
      {
        layout: this.#layout,
        content,
        layers,
        snapshots,
        records: this.#records,
        roots,
        dropBlobs: this.#options.dropBlobs ?? false,
      },
      signal,
    )
  }

  /** Removes what processes that died left: drafts, parts and trash. */
  async sweep(): Promise<void> {
    await this.layers.sweep()
    await this.content.sweep()
    await this.layers.emptyTrash()
  }

  /**
   * Keeps an image from being removed under the caller until the lease is released: for the time between resolving it
   * and recording a container that uses it.
   *
   * @throws JubakoError `ERR_JUBAKO_NOT_FOUND` when it went meanwhile
   */
  async lease(image: ResolvedImage): Promise<{ release(): void }> {
    const lease = Lease.open(this.#layout)
    try {
      await lease.protect([`blob ${image.id}`, ...image.chainIds.map((chainId) => `layer ${chainId}` as const)])
      if (image.chainIds.some((chainId) => !this.layers.has(chainId))) this.#resolver.get(image.id)
      return lease
    } catch (error) {
      lease.release()
      throw error
    }
  }

  /** Stored bytes of an image's document, byte for byte. */
  readDocument(digest: Digest, limit: number): Promise<Buffer> {
    return this.content.read(digest, limit)
  }

  /** The registry client of this store, made at its first use. */
  get registry(): RegistryClient {
    this.#registry ??= new RegistryClient(this.#registryOptions())
    return this.#registry
  }

  #registryOptions(): RegistryOptions {
    const { registry = {} } = this.#options
    return typeof registry === 'function' ? registry() : registry
  }

  #withRegistry<T>(auth: RegistryCallOptions['auth'], work: (registry: RegistryClient) => Promise<T>): Promise<T> {
    if (auth === undefined) return work(this.registry)
    return this.withRegistry({ credentials: typeof auth === 'function' ? auth : () => auth }, work)
  }

  /** Works with a client that has options of its own: its connections and tokens end with the work. */
  async withRegistry<T>(options: RegistryOptions, work: (registry: RegistryClient) => Promise<T>): Promise<T> {
    const client = new RegistryClient({ ...this.#registryOptions(), ...options })
    try {
      return await work(client)
    } finally {
      await client.close()
    }
  }

  /** Closes connections. The store on the disk needs no closing. */
  async close(): Promise<void> {
    await this.#registry?.close()
    this.#registry = undefined
  }

  #tellOf(action: string, reference: Reference): void {
    this.#options.onEvent?.(
      action,
      familiarReference(reference),
      familiarReference({ domain: reference.domain, path: reference.path }),
    )
  }

  #complete(record: ReferenceRecord, lease: Lease, options: OperationOptions): Promise<ReferenceRecord> {
    const { content, layers } = this
    const parts = { content, layers, records: this.#records, packer: () => this.#packer, lease }
    return materialize(parts, record, options)
  }

  get #packer(): LayerPacker {
    const { packer } = this.#options
    if (packer !== undefined) return packer
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', 'this image store was opened without a packer of layers')
  }

  #tryResolve(nameOrId: string, platform: string | Platform | undefined): ResolvedImage | undefined {
    const found = this.#resolver.find(nameOrId)
    if (found === undefined) return undefined
    if (platform !== undefined && !platformFits(found.image, platform)) return undefined
    return this.#resolver.complete(found)
  }

  async #makeBuiltin(program: string, reference: Reference, lease: Lease, options: PullOptions): Promise<PullResult> {
    const { onProgress, signal } = options
    const target = await storeBuiltin(this.content, program, lease)
    const wanted = { platform: hostPlatform(), explicit: false }
    const fetch = async () => undefined
    const image = await chooseImage(this.content, { fetch }, target, wanted, familiarReference(reference))
    const before = this.#records.reference(formatReference(reference))
    const what = familiarReference(reference)
    await this.#installer.install(image, { what, lease, fetchLayer: fetch, onProgress, signal })
    const record: ReferenceRecord = {
      reference: formatReference(reference),
      imageId: image.imageId,
      target,
      manifest: target.digest,
      content: contentOf(image),
      updatedAt: Date.now(),
    }
    const updated = before?.imageId !== image.imageId
    if (updated) await this.#assign(record)
    reportLine(onProgress, `Status: ${updated ? 'Made' : 'Image is up to date for'} ${familiarReference(reference)}`)
    return { reference: record.reference, digest: target.digest, imageId: image.imageId, updated }
  }

  /** An image that came from a registry under this very name keeps what is known of it there. */
  async #assignLoaded(record: ReferenceRecord): Promise<void> {
    const before = this.#records.reference(record.reference)
    const same = before?.imageId === record.imageId && before.repoDigest !== undefined
    if (same && before.content.every((digest) => this.content.has(digest))) return
    await this.#assign(record)
  }

  /** A name that moves leaves its former image under its digest, or without a name. */
  async #assign(record: ReferenceRecord): Promise<void> {
    const before = this.#records.reference(record.reference)
    if (before !== undefined && before.imageId !== record.imageId) {
      const kept = digestReference(before)
      if (kept !== undefined) await this.#records.writeReference(kept)
    }
    await this.#records.writeReference(record)
  }

  #isComplete(record: ReferenceRecord): boolean {
    const image = this.#records.image(record.imageId)
    return (
      image !== undefined &&
      this.content.has(record.imageId as ImageId) &&
      image.chainIds.every((chainId) => this.layers.has(chainId))
    )
  }

  async #leased<T>(work: (lease: Lease) => Promise<T>): Promise<T> {
    const lease = Lease.open(this.#layout)
    let done: T
    try {
      done = await work(lease)
    } finally {
      lease.release()
    }
    if (this.#options.dropBlobs) await this.collect()
    return done
  }
}

function platformFits(image: ImageRecord, platform: string | Platform): boolean {
  const wanted = typeof platform === 'string' ? parsePlatform(platform) : platform
  return platformMatches(wanted, image.platform)
}
