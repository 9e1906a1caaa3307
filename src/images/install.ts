import { availableParallelism } from 'node:os'
import type { ContentStore } from '../content/index.js'
import { isJubakoError, JubakoError } from '../errors/index.js'
import { type ChainId, chainIds, type Descriptor, type DiffId } from '../oci/index.js'
import { Arrival } from './arrival.js'
import { type ChosenImage, checkSize } from './document.js'
import type { FinishedDraft, LayerDraft, LayerStore } from './layer-store.js'
import { blob, type Lease, layer } from './lease.js'
import { LayerProgress } from './progress.js'
import type { ImageRecord, Records } from './records.js'
import { Semaphore } from './semaphore.js'
import type { LayerUnpacker, OnProgress, UnpackedLayer } from './types.js'

export interface InstallOptions {
  /** How the image is called in errors. */
  what: string
  lease: Lease
  /** Brings a layer's blob into the content store. May tell the arrival, so that unpacking starts meanwhile. */
  fetchLayer: (layer: Descriptor, progress: LayerProgress, signal: AbortSignal, arrival: Arrival) => Promise<void>
  onProgress: OnProgress | undefined
  signal: AbortSignal | undefined
}

/** As Docker's default. */
const DOWNLOADS_AT_ONCE = 3
// Not fewer than downloads: each may wait for one.
const UNPACKS_AT_ONCE = Math.min(Math.max(availableParallelism(), DOWNLOADS_AT_ONCE), 4)

/** Makes an image whose manifest and configuration are in the store runnable: its layers fetched and unpacked. */
export class Installer {
  readonly #content: ContentStore
  readonly #layers: LayerStore
  readonly #records: Records
  readonly #unpacker: LayerUnpacker

  constructor(content: ContentStore, layers: LayerStore, records: Records, unpacker: LayerUnpacker) {
    this.#content = content
    this.#layers = layers
    this.#records = records
    this.#unpacker = unpacker
  }

  /** When this returns the image is complete, durable and recorded. */
  async install(image: ChosenImage, options: InstallOptions): Promise<ImageRecord> {
    const stack = chainIds(image.config.diffIds)
    const content = contentOf(image)
    await options.lease.protect([...content.map(blob), ...stack.map(layer)], options.signal)
    await new Installation(this.#content, this.#layers, this.#unpacker, image, stack, options).run()
    const known = this.#records.image(image.imageId)
    if (known !== undefined) return known
    const record: ImageRecord = {
      imageId: image.imageId,
      manifest: image.descriptor,
      platform: image.config.platform,
      chainIds: stack,
      content,
      createdAt: Date.parse(image.config.created ?? '') || 0,
      size: stack.reduce((sum, chainId) => sum + (this.#layers.read(chainId)?.size ?? 0), 0),
      labels: image.config.config.Labels ?? {},
    }
    await this.#records.writeImage(record)
    return record
  }
}

/** Every digest that an image needs to be whole, for its record and its names. */
export function contentOf(image: ChosenImage): Descriptor['digest'][] {
  const { target, descriptor, manifest } = image
  return [...new Set([target, descriptor, manifest.config, ...manifest.layers].map((item) => item.digest))]
}

/** One run of {@link Installer.install}: layers side by side, all or nothing. */
class Installation {
  readonly #content: ContentStore
  readonly #layers: LayerStore
  readonly #unpacker: LayerUnpacker
  readonly #image: ChosenImage
  readonly #stack: ChainId[]
  readonly #options: InstallOptions
  readonly #downloads = new Semaphore(DOWNLOADS_AT_ONCE)
  readonly #unpacks = new Semaphore(UNPACKS_AT_ONCE)
  readonly #stop = new AbortController()
  readonly #drafts: LayerDraft[] = []

  constructor(
    content: ContentStore,
    layers: LayerStore,
    unpacker: LayerUnpacker,
    image: ChosenImage,
    stack: ChainId[],
    options: InstallOptions,
  ) {
    this.#content = content
    this.#layers = layers
    this.#unpacker = unpacker
    this.#image = image
    this.#stack = stack
    this.#options = options
  }

  async run(): Promise<void> {
    const { signal } = this.#options
    const onAbort = () => this.#stop.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    try {
      await this.#runAll()
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  async #runAll(): Promise<void> {
    const progress = this.#image.manifest.layers.map((item) => new LayerProgress(item.digest, this.#options.onProgress))
    for (const [i, chainId] of this.#stack.entries()) {
      progress[i]!.status(this.#layers.has(chainId) ? 'Already exists' : 'Pulling fs layer')
    }
    // Drafts are begun from the lowest up, each after the one below, so that two installations never wait for each
    // other; downloads do not wait for that.
    let turn: Promise<unknown> = Promise.resolve()
    const work = this.#stack.map((chainId, i) => {
      if (this.#layers.has(chainId)) return Promise.resolve(undefined)
      const draft = turn.then(() => this.#begin(chainId, progress[i]!))
      turn = draft
      return this.#makeLayer(i, draft, progress[i]!)
    })
    const outcomes = await Promise.allSettled(work.map((one) => this.#stopAllOnFailure(one)))
    try {
      const failures = outcomes.filter((outcome) => outcome.status === 'rejected').map((outcome) => outcome.reason)
      if (failures.length > 0) throw mostTelling(failures)
      const finished = outcomes.flatMap((o) => (o.status === 'fulfilled' && o.value !== undefined ? [o.value] : []))
      await this.#layers.commit(finished, this.#stack)
      this.#drafts.length = 0
      for (const { draft } of finished) progress[this.#stack.indexOf(draft.chainId)]!.status('Pull complete')
    } finally {
      for (const draft of this.#drafts) await this.#layers.abandon(draft)
    }
  }

  async #begin(chainId: ChainId, progress: LayerProgress): Promise<LayerDraft | undefined> {
    const onWait = () => progress.status('Waiting')
    const draft = await this.#layers.begin(chainId, { signal: this.#stop.signal, onWait })
    if (draft !== undefined) this.#drafts.push(draft)
    return draft
  }

  async #makeLayer(
    i: number,
    begun: Promise<LayerDraft | undefined>,
    progress: LayerProgress,
  ): Promise<FinishedDraft | undefined> {
    const descriptor = this.#image.manifest.layers[i]!
    const diffId = this.#image.config.diffIds[i]!
    const arrival = new Arrival()
    const { signal } = this.#stop
    const fetched = this.#downloads
      .run(() => this.#options.fetchLayer(descriptor, progress, signal, arrival))
      .finally(() => arrival.end())
    try {
      const early = this.#unpackArriving(begun, arrival, descriptor, progress)
      // All are awaited whatever becomes of the others, so that nothing goes on behind our back.
      const [fetching, drafting, unpacking] = await Promise.allSettled([this.#stopAllOnFailure(fetched), begun, early])
      if (drafting.status === 'rejected') throw drafting.reason
      if (drafting.value === undefined) {
        // Somebody else made the layer meanwhile: then its blob is not needed to run it.
        progress.status('Already exists')
        return undefined
      }
      if (fetching.status === 'rejected') throw fetching.reason
      const draft = drafting.value
      const unpacked = unpacking.status === 'fulfilled' && arrival.intact ? unpacking.value : undefined
      if (unpacked?.diffId === diffId) return { draft, diffId, unpacked }
      return await this.#unpacks.run(() => this.#unpack(draft, descriptor, diffId, progress))
    } finally {
      arrival.close()
    }
  }

  /**
   * Unpacks a blob while it is fetched. What comes of it counts only when the blob turns out to be the right one; whatever
   * goes wrong, the whole blob is looked at again then, and says what it is.
   */
  async #unpackArriving(
    begun: Promise<LayerDraft | undefined>,
    arrival: Arrival,
    { size }: Descriptor,
    progress: LayerProgress,
  ): Promise<UnpackedLayer | undefined> {
    const [draft, started] = await Promise.all([begun, arrival.started])
    if (draft === undefined || !started) return undefined
    return this.#unpacks.run(async () => {
      const { signal } = this.#stop
      if (!arrival.intact || signal.aborted) return undefined
      draft.touched = true
      return this.#unpacker.unpack({
        fd: arrival.fd,
        size,
        growth: arrival,
        target: draft.diff,
        onProgress: (bytes) => arrival.ended && progress.count('Extracting', Math.min(bytes, size), size),
        signal,
      })
    })
  }

  async #unpack(
    draft: LayerDraft,
    descriptor: Descriptor,
    diffId: DiffId,
    progress: LayerProgress,
  ): Promise<FinishedDraft> {
    this.#stop.signal.throwIfAborted()
    const what = `${this.#options.what}: layer ${descriptor.digest}`
    checkSize(this.#content, descriptor, what)
    if (draft.touched) await this.#layers.clear(draft)
    const file = await this.#content.open(descriptor.digest)
    try {
      const unpacked = await this.#unpacker.unpack({
        fd: file.fd,
        size: descriptor.size,
        target: draft.diff,
        onProgress: (bytes) => progress.count('Extracting', Math.min(bytes, descriptor.size), descriptor.size),
        signal: this.#stop.signal,
      })
      if (unpacked.diffId !== diffId) {
        throw new JubakoError(
          'ERR_JUBAKO_INTEGRITY',
          `${what}: its content is not what the image's configuration names: expected ${diffId}, got ${unpacked.diffId}`,
        )
      }
      return { draft, diffId, unpacked }
    } catch (error) {
      throw aboutLayer(error, what)
    } finally {
      await file.close()
    }
  }

  async #stopAllOnFailure<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      this.#stop.abort(error)
      throw error
    }
  }
}

/** One failure stops the others; theirs only say that they were stopped. */
function mostTelling(failures: unknown[]): unknown {
  return failures.find((error) => isJubakoError(error) && error.code !== 'ERR_JUBAKO_ABORTED') ?? failures[0]
}

/** What the unpacker refuses is a fault of this layer. */
function aboutLayer(error: unknown, what: string): unknown {
  if (!isJubakoError(error, 'ERR_JUBAKO_INTEGRITY', 'ERR_JUBAKO_LIMIT_EXCEEDED', 'ERR_JUBAKO_UNSUPPORTED')) return error
  if (error.message.startsWith(what)) return error
  return new JubakoError(error.code, `${what}: ${error.message}`, { cause: error, hint: error.hint, path: error.path })
}
