import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { invalidArgument, JubakoError } from '../errors/index.js'
import type { ImageStore, ImageUser } from '../images/index.js'
import { applyChanges } from './changes.js'
import type { EngineContext } from './context.js'
import type {
  ImageDetails,
  ImageHistoryEntry,
  ImportedImage,
  ImportOptions,
  PrunedImages,
  PruneImagesOptions,
  PushedImage,
  PushOptions,
  SaveOptions,
  SearchOptions,
  SearchResult,
} from './image-types.js'
import { type ManifestApi, manifestApi } from './manifests.js'
import type { ImageSummary, LoadedImage, LoadOptions, PullOptions, PullResult } from './types.js'

/** Everything about images. Called as a function it lists them. */
export interface ImageApi {
  /** All images, newest first. */
  (): Promise<ImageSummary[]>
  /** As the list, with stored sizes, platforms and whether a container uses it. */
  details(): Promise<ImageDetails[]>
  /**
   * Brings an image from its registry, or finds that it is up to date.
   *
   * @throws JubakoError `ERR_JUBAKO_NOT_FOUND`, `_UNAUTHORIZED`, `_REGISTRY`, `_NETWORK`, `_INTEGRITY`, `_ABORTED`, ...
   */
  pull(reference: string, options?: PullOptions): Promise<PullResult>
  /** Brings every tag of a repository; the name has none. Tags without an image for the platform are left out. */
  pullAll(repository: string, options?: PullOptions): Promise<PullResult[]>
  /**
   * Sends an image to the registry that its name tells. What is there is not sent again.
   *
   * @returns one for each tag
   * @throws JubakoError as {@link pull}
   */
  push(reference: string, options?: PushOptions): Promise<PushedImage[]>
  /** Images of a `docker save` archive, an OCI archive or layout; a path or the archive's bytes. */
  load(source: string | Readable, options?: LoadOptions): Promise<LoadedImage[]>
  /**
   * Images as one archive, which `docker load` reads and which is an OCI image layout too. Destroy the stream to stop.
   *
   * @param names names (without a tag: every tag) and IDs
   * @throws JubakoError `ERR_JUBAKO_NOT_FOUND`
   */
  save(names: string | readonly string[], options?: SaveOptions): Promise<Readable>
  /**
   * Makes an image of the archive of a root file system (tar: plain, gzip, zstd).
   *
   * @param source path, URL (http or https) or the archive's bytes
   * @throws JubakoError `ERR_JUBAKO_INTEGRITY` for what is no such archive, `ERR_JUBAKO_INVALID_ARGUMENT` for a bad change
   */
  import(source: string | URL | Readable, options?: ImportOptions): Promise<ImportedImage>
  /** The steps that made an image, newest first. */
  history(nameOrId: string, options?: { platform?: string }): Promise<ImageHistoryEntry[]>
  /** Removes images without a tag that no container uses, or with `all` every image that none uses. */
  prune(options?: PruneImagesOptions): Promise<PrunedImages>
  /**
   * Looks for repositories by a part of their name: `term`, or `registry/term`. Default: on Docker Hub.
   *
   * @param options.limit most results, 1 to 100. Default 25
   */
  search(term: string, options?: SearchOptions): Promise<SearchResult[]>
  /** Lists of images for several platforms. */
  readonly manifests: ManifestApi
  /** Gives an image another name. */
  tag(source: string, target: string): Promise<void>
}

export function imageApi(context: EngineContext): ImageApi {
  const { images } = context
  return Object.assign(async () => images.list(), {
    details: () => images.details(new Set(context.store.all().map(({ imageId }) => imageId))),
    pull: (reference: string, options: PullOptions = {}) => images.pull(reference, options),
    pullAll: async (repository: string, options: PullOptions = {}) => images.pullAll(repository, options),
    push: (reference: string, options: PushOptions = {}) => images.push(reference, options),
    load: (source: string | Readable, options: LoadOptions = {}) => images.load(source, options),
    save: async (names: string | readonly string[], options: SaveOptions = {}) => images.save([names].flat(), options),
    import: (source: string | URL | Readable, options: ImportOptions = {}) => importImage(images, source, options),
    history: async (nameOrId: string, options: { platform?: string } = {}) => images.history(nameOrId, options),
    prune: async (options: PruneImagesOptions = {}) => {
      const pruned = await images.prune({ ...options, inUse: imageUsers(context) })
      const attributes = { reclaimed: String(pruned.reclaimed) }
      context.events.emit({ type: 'image', action: 'prune', actor: { id: '', attributes } })
      return pruned
    },
    search: async (term: string, options: SearchOptions = {}) => searchImages(images, term, options),
    manifests: manifestApi(context.root, images),
    tag: (source: string, target: string) => images.tag(source, target),
  })
}

async function searchImages(images: ImageStore, text: string, options: SearchOptions): Promise<SearchResult[]> {
  const { limit = 25, signal } = options
  if (limit < 1 || limit > 100) throw invalidArgument(`limit ${limit} is outside the range of [1, 100]`)
  if (text.includes('://')) throw invalidArgument(`invalid repository name (ex: "registry.domain.tld/myrepos")`)
  const [, host, rest] = /^(localhost|[^/]*[.:][^/]*)\/(.*)$/.exec(text) ?? []
  return images.registry.search(host ?? 'docker.io', rest ?? text.replace(/^library\//, ''), { limit, signal })
}

async function importImage(
  images: ImageStore,
  source: string | URL | Readable,
  options: ImportOptions,
): Promise<ImportedImage> {
  const { reference, changes = [], platform, onProgress, signal } = options
  const config = applyChanges({}, changes)
  const message = options.message || `Imported from ${source instanceof URL ? source.href : '-'}`
  return images.import(await openSource(images, source, signal), reference, {
    config,
    message,
    platform,
    onProgress,
    signal,
  })
}

async function openSource(
  images: ImageStore,
  source: string | URL | Readable,
  signal: AbortSignal | undefined,
): Promise<Readable> {
  if (source instanceof URL) return images.registry.fetch(source, { signal })
  if (typeof source !== 'string') return source
  const file = await open(source).catch((cause: NodeJS.ErrnoException) => {
    const [code, words] =
      cause.code === 'ENOENT' ? (['ERR_JUBAKO_NOT_FOUND', 'no such file or directory'] as const) : []
    throw new JubakoError(code ?? 'ERR_JUBAKO_SYSTEM', `open ${source}: ${words ?? cause.message}`, {
      cause,
      path: source,
    })
  })
  return file.createReadStream({ highWaterMark: 512 * 1024 })
}

/** Which containers use an image. */
export function imageUsers({ store }: EngineContext): (imageId: string) => ImageUser[] {
  return (imageId) =>
    store
      .all()
      .filter((config) => config.imageId === imageId)
      .map(({ id }) => ({ id, running: store.isRunning(id) }))
}
