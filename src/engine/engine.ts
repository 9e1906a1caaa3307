import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { type CgroupHost, detectCgroups } from '../cgroups/index.js'
import { JubakoError } from '../errors/index.js'
import { ImageStore } from '../images/index.js'
import { artefactPath, keepInitIn, type ProcessPlan, type Step } from '../native/index.js'
import { type ContainerConfig, ContainerStore, Places, VolumeStore } from '../runtime/index.js'
import { type BuildApi, buildApi, buildLayers } from './build.js'
import { ContainerHandle } from './container.js'
import type { EngineContext } from './context.js'
import { createContainer } from './create.js'
import { diskUsage } from './disk-usage.js'
import type { EngineEvent, EventOptions } from './event-types.js'
import { Events } from './events.js'
import { findExec } from './execs.js'
import { type ImageApi, imageApi, imageUsers } from './images.js'
import { engineInfo } from './info.js'
import { inspectImage } from './inspect-image.js'
import { type Launch, shapeOf } from './launch.js'
import { type ContainerListing, Listings } from './listing.js'
import { newId } from './merge.js'
import type { NetworksApi } from './network-types.js'
import { Networks } from './networks.js'
import { ownRegistry, type RegistryStore, registryBlobs, registryStore } from './registry.js'
import type { Snapshot, SnapshotApi } from './snapshot-types.js'
import { snapshotApi, snapshotsInUse } from './snapshots.js'
import { Spares } from './spares.js'
import { summaryOf } from './state.js'
import { storeTag } from './store-tag.js'
import { removeCgroupParents, sweep } from './sweep.js'
import type {
  Container,
  ContainerSummary,
  CreateOptions,
  EngineInfo,
  EngineOptions,
  ExecInfo,
  LoadedImage,
  LoadOptions,
  PullOptions,
  PullResult,
  PushedImage,
  PushOptions,
  RemovedImage,
  RunOptions,
} from './types.js'
import { layerPacker, layerUnpacker } from './unpacker.js'
import { pruneContainers, systemUsage } from './usage.js'
import type { PruneContainersOptions, PrunedContainers, SystemUsage } from './usage-types.js'
import type { VolumeApi } from './volume-types.js'
import { volumeApi } from './volumes.js'

const defaultRoot = '/var/lib/jubako'
const defaultRunRoot = '/run/jubako'

/** Options for tests: not part of the public interface. */
export interface InternalOptions {
  alterPlan?: (plan: ProcessPlan) => ProcessPlan
  alterPreparation?: (act: readonly Step[]) => readonly Step[]
}

/**
 * A container engine on one data root. Any number of engines, in any number of processes, share a root.
 *
 * @example
 * await using engine = await Engine.open()
 * await using c = await engine.run('debian:12', ['echo', 'hi'])
 */
export class Engine {
  readonly root: string
  readonly runRoot: string
  readonly images: ImageApi
  readonly networks: NetworksApi
  readonly snapshots: SnapshotApi
  /** Images from Dockerfiles. */
  readonly build: BuildApi
  readonly volumes: VolumeApi
  readonly #context: EngineContext
  readonly #owned = new Set<ContainerHandle>()
  readonly #listings: Listings

  protected constructor(context: EngineContext) {
    this.root = context.root
    this.runRoot = context.runRoot
    this.images = imageApi(context)
    this.networks = context.networks
    this.snapshots = snapshotApi(context)
    this.build = buildApi(context)
    this.volumes = volumeApi(context)
    this.#context = context
    this.#listings = new Listings(context)
  }

  /**
   * Opens (and on first use makes) a data root.
   *
   * @throws JubakoError ERR_JUBAKO_UNSUPPORTED when not root or when the kernel lacks something that nothing works without
   */
  static async open(options: EngineOptions & InternalOptions = {}): Promise<Engine> {
    if (process.geteuid?.() !== 0) {
      throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', 'jubako needs to run as root', { hint: 'use sudo' })
    }
    const root = resolve(options.root ?? defaultRoot)
    const runRoot = resolve(options.runRoot ?? defaultRunRoot)
    const store = new ContainerStore(new Places(root, runRoot))
    store.prepare()
    mkdirSync(`${root}/bin`, { recursive: true, mode: 0o700 })
    mkdirSync(`${root}/volumes`, { recursive: true, mode: 0o701 })
    keepInitIn(`${root}/bin`)
    const events = new Events(runRoot)
    let cgroups: CgroupHost | undefined
    let networks: Networks
    const context: EngineContext = {
      root,
      runRoot,
      store,
      volumes: new VolumeStore(root, store.places.trash),
      images: ImageStore.open({
        root,
        unpacker: layerUnpacker,
        packer: layerPacker,
        ...(options.dropBlobs !== undefined && { dropBlobs: options.dropBlobs }),
        ownRegistry: (domain) => ownRegistry(root, domain),
        helloProgram: artefactPath('jubako-hello'),
        ...(options.registry !== undefined && { registry: options.registry }),
        onEvent: (action, id, name) => events.image(context.images, action, id, name),
        roots: () => {
          const all = store.all()
          return {
            layers: [...all.flatMap(chainIdsOf), ...buildLayers(root)].filter((id) => id !== '') as never[],
            images: all.flatMap(imageIdsOf) as never[],
            snapshots: snapshotsInUse(context),
            blobs: registryBlobs(root),
          }
        },
      }),
      get cgroups() {
        cgroups ??= detectCgroups()
        return cgroups
      },
      events,
      get networks() {
        return networks
      },
      cgroupParent: cgroupParentOf(runRoot),
      alterPlan: options.alterPlan,
      alterPreparation: options.alterPreparation,
      cgroupParents: new Set(),
      spares: new Spares(),
    }
    networks = new Networks(context, runRoot === defaultRunRoot, options.firewallBackend)
    await sweep(context)
    return new this(context)
  }

  async pull(reference: string, options: PullOptions = {}): Promise<PullResult> {
    return this.#context.images.pull(reference, options)
  }

  /** Sends an image to its registry; one result for each tag. See {@link ImageApi.push}. */
  async push(reference: string, options: PushOptions = {}): Promise<PushedImage[]> {
    return this.images.push(reference, options)
  }

  /** Images of a `docker save` archive, an OCI archive or layout; a path or the archive's bytes. */
  async load(source: string | Readable, options: LoadOptions = {}): Promise<LoadedImage[]> {
    return this.#context.images.load(source, options)
  }

  /** Docker's `inspect` shape. */
  async inspectImage(
    nameOrId: string,
    options: { platform?: string | undefined } = {},
  ): Promise<Record<string, unknown>> {
    return inspectImage(this.#context, nameOrId, options.platform)
  }

  async removeImage(nameOrId: string, options: { force?: boolean; noPrune?: boolean } = {}): Promise<RemovedImage[]> {
    const inUse = imageUsers(this.#context)
    return this.#context.images.remove(nameOrId, { force: options.force ?? false, inUse })
  }

  async tag(source: string, target: string): Promise<void> {
    await this.#context.images.tag(source, target)
  }

  /** Makes a container that is not started, on an image or on a snapshot. */
  async create(
    image: string | Snapshot,
    command: readonly string[] = [],
    options: CreateOptions = {},
  ): Promise<Container> {
    const { autoRemove = false } = options
    const kind = { id: newId(), starts: false, owned: false, autoRemove, launch: undefined }
    const { config } = await createContainer(this.#context, image, command, options, kind)
    return new ContainerHandle(this.#context, config)
  }

  /** Makes and starts a container; resolves when its command runs. See {@link RunOptions.detached}. */
  async run(image: string | Snapshot, command: readonly string[] = [], options: RunOptions = {}): Promise<Container> {
    const owned = !(options.detached ?? false)
    const id = newId()
    const launch = this.#launchEarly(owned, options, id)
    let container: ContainerHandle
    try {
      const autoRemove = owned || (options.autoRemove ?? false)
      const kind = { id, starts: true, owned, autoRemove, launch }
      const { config, beginning } = await createContainer(this.#context, image, command, options, kind)
      container = new ContainerHandle(this.#context, config, beginning)
    } catch (error) {
      await launch?.abandon()
      throw error
    }
    try {
      await container.start({
        launch,
        ...(options.attach !== undefined && { attach: options.attach }),
        ...(options.columns !== undefined && { columns: options.columns }),
        ...(options.rows !== undefined && { rows: options.rows }),
        ...(owned && { signal: options.signal }),
      })
    } catch (error) {
      // As docker has it: what could not start stays `created`, unless it was to be removed.
      await launch?.abandon()
      if (owned || options.autoRemove) await container.remove({ force: true }).catch(() => {})
      throw error
    }
    if (owned) this.#owned.add(container)
    return container
  }

  /**
   * By name, id or unique beginning of an id.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND
   */
  async container(nameOrId: string): Promise<Container> {
    return new ContainerHandle(this.#context, this.#context.store.find(nameOrId))
  }

  /**
   * A process that `exec` started, in this process or another, by its id.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND, also when its container has ended
   */
  async inspectExec(id: string): Promise<ExecInfo> {
    return findExec(this.#context, id)
  }

  /** Newest first; only running ones unless `all`. */
  async containers(options: { all?: boolean } = {}): Promise<ContainerSummary[]> {
    return this.#context.store
      .records()
      .map((records) => summaryOf(this.#context, records.config, records))
      .filter(({ state }) => options.all || state === 'running' || state === 'paused' || state === 'restarting')
      .sort((a, b) => b.createdAt - a.createdAt)
  }

  /** The same with what `GET /containers/json` tells more, those that do not run included. */
  async listContainers(): Promise<ContainerListing[]> {
    return this.#listings.all()
  }

  /** Bytes that a container wrote, and with its image's. */
  async containerSize(nameOrId: string): Promise<{ written: number; total: number }> {
    const config = this.#context.store.find(nameOrId)
    const written = await diskUsage(this.#context.store.places.of(config.id).upper)
    const image = this.#context.images.list().find(({ id }) => id === config.imageId)
    return { written, total: written + (image?.size ?? 0) }
  }

  /**
   * What happens to containers, images, volumes and networks of this run root, whoever does it. Ends with `until`, with
   * `signal`, or when the caller leaves its loop.
   *
   * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for a filter that does not exist
   */
  events(options: EventOptions = {}): AsyncGenerator<EngineEvent> {
    return this.#context.events.read(options)
  }

  /** The images for a registry that serves them: the option `store` of `serveRegistry`. */
  registryStore(): RegistryStore {
    return registryStore(this.#context)
  }

  /** What images and containers take on the disk. */
  usage(): Promise<SystemUsage> {
    return systemUsage(this.#context)
  }

  /** Removes containers that do not run. */
  pruneContainers(options: PruneContainersOptions = {}): Promise<PrunedContainers> {
    return pruneContainers(this.#context, options)
  }

  async info(): Promise<EngineInfo> {
    return engineInfo(this.#context)
  }

  /** Kills and removes the containers this engine owns. Detached ones go on. */
  async close(): Promise<void> {
    await Promise.all([...this.#owned].map((container) => container.close()))
    this.#owned.clear()
    await this.#context.spares.close()
    removeCgroupParents(this.#context)
    await this.#context.images.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The supervisor starts while its plan is made; not if it needs descriptors that are not known yet. */
  #launchEarly(owned: boolean, options: RunOptions, id: string): Launch | undefined {
    const network = options.networks?.[0]?.name ?? options.network ?? ''
    const { tty = false, stdin = false } = options
    if ([network, options.pid, options.ipc, options.uts].some((mode) => mode?.startsWith('container:')))
      return undefined
    const ipc = options.ipc === 'host' ? 'host' : 'private'
    return this.#context.spares.take(shapeOf({ owned, tty, stdin, network, ipc }), id)
  }
}

/** Everything of an image store that a container needs: its own image and those it mounts. */
const imagesOf = (config: ContainerConfig) => config.mounts.flatMap((mount) => (mount.type === 'image' ? [mount] : []))
const chainIdsOf = (config: ContainerConfig) => [config.chainId, ...imagesOf(config).map(({ chainId }) => chainId)]
const imageIdsOf = (config: ContainerConfig) => [config.imageId, ...imagesOf(config).map(({ imageId }) => imageId)]

/** Stores that live side by side keep their cgroups apart, so that one never sweeps the other's. */
function cgroupParentOf(runRoot: string): string {
  if (runRoot === defaultRunRoot) return '/jubako'
  return `/jubako-${storeTag(runRoot)}`
}
