import { rm } from 'node:fs/promises'
import { packLayer, packTree, unpackLayer } from '../archive/index.js'
import {
  type BaseImage,
  Builder,
  type BuilderParts,
  type BuildOptions,
  type BuildResult,
  type CacheEntry,
  type CacheMount,
  cacheEntries,
  type FailedStep,
  listCacheMounts,
  type Outline,
  type PruneCacheOptions,
  type PrunedCache,
  pruneCache,
  StepCache,
  TreeSession,
} from '../builder/index.js'
import type { CheckWarning, Dockerfile } from '../dockerfile/index.js'
import {
  type ChainId,
  formatPlatform,
  hostPlatform,
  type ImageId,
  parseReference,
  withDefaultTag,
} from '../oci/index.js'
import { cachePlace } from './build-caches.js'
import { cloneRepository, downloadFile } from './build-sources.js'
import { openShell, runStep } from './build-step.js'
import type { EngineContext } from './context.js'
import { diskUsage } from './disk-usage.js'
import type { Container } from './types.js'

/** Builds, and what they keep. Called as a function it builds. */
export interface BuildApi {
  /**
   * Builds an image.
   *
   * @throws BuildError with the failing step, its place in the Dockerfile, exit code and last output; JubakoError
   */
  (options: BuildOptions): Promise<BuildResult>
  /** The build checks alone. */
  check(options: BuildOptions): Promise<{ dockerfile: Dockerfile; warnings: CheckWarning[]; failing: boolean }>
  /** What a target can be given: arguments, secrets, agents. */
  outline(options: BuildOptions): Promise<Outline>
  /** What the build cache holds, newest first. */
  cache(): Promise<CacheEntry[]>
  /** Directories of `RUN --mount=type=cache`, usable as bind mounts. */
  mounts(): CacheMount[]
  prune(options?: PruneCacheOptions): Promise<PrunedCache>
  /** Puts the files of a stack of layers, topmost first, into a folder. */
  exportTree(layers: readonly string[], target: string, signal?: AbortSignal): Promise<void>
  /** As {@link exportTree}, as a tar archive. */
  exportTar(layers: readonly string[], fd: number, signal?: AbortSignal): Promise<void>
  /** A container with a terminal on what a failed step left; it and the files are removed when `use` is done. */
  shell(kept: NonNullable<FailedStep['kept']>, use: (container: Container) => Promise<void>): Promise<void>
}

export function buildApi(context: EngineContext): BuildApi {
  let builder: Builder | undefined
  const open = () => {
    builder ??= new Builder(partsOf(context))
    return builder
  }
  const build = async (options: BuildOptions) => {
    const result = await open().build(options)
    if (result.imageId !== undefined) {
      context.events.emit({ type: 'builder', action: 'build', actor: { id: result.imageId, attributes: {} } })
    }
    return result
  }
  return Object.assign(build, {
    check: (options: BuildOptions) => open().check(options),
    outline: (options: BuildOptions) => open().outline(options),
    cache: () => cacheEntries(open().cache, diskUsage),
    mounts: () => listCacheMounts(open().cache.mounts),
    prune: async (options: PruneCacheOptions = {}) => {
      const pruned = await pruneCache(open().cache, options, diskUsage)
      await context.images.collect()
      const attributes = { reclaimed: String(pruned.reclaimed) }
      context.events.emit({ type: 'builder', action: 'prune', actor: { id: '', attributes } })
      return pruned
    },
    exportTar: async (layers: readonly string[], fd: number, signal?: AbortSignal) => {
      await packTree({ source: layers, output: fd, scratch: context.root, signal })
    },
    shell: (kept: NonNullable<FailedStep['kept']>, use: (container: Container) => Promise<void>) =>
      openShell(context, kept, use, open().cache),
    exportTree: async (layers: readonly string[], target: string, signal?: AbortSignal) => {
      const session = new TreeSession([{ layers }], { layers: [], upper: target, work: '' })
      const abort = () => session.kill()
      signal?.addEventListener('abort', abort, { once: true })
      try {
        await session.act({ act: 'copy', sources: [''], target: '/', intoTarget: true })
      } finally {
        signal?.removeEventListener('abort', abort)
        await session.close()
      }
    },
  })
}

/** Chain IDs of layers that the build cache of a data root wants kept. */
export const buildLayers = (root: string): string[] => new StepCache(root, () => undefined).chainIds()

function partsOf(context: EngineContext): BuilderParts {
  const { images, root } = context
  return {
    root,
    platform: formatPlatform(hostPlatform()),
    now: () => Date.now(),
    images: {
      resolve: async (reference, { pull, platform, auth, signal }): Promise<BaseImage> =>
        images.ensure(reference, { policy: pull ? 'always' : 'missing', platform, auth, signal }),
      adopt: ({ base, config, layers, tags, annotations }): Promise<ImageId> =>
        images.adopt({
          base,
          config,
          layers,
          annotations,
          references: tags.map((tag) => withDefaultTag(parseReference(tag))),
        }),
      layerPath: (chainId: ChainId) => images.layers.pathOf(chainId),
    },
    runner: { run: (request) => runStep(context, request) },
    hashLayer: async (directory, signal) => packLayer({ directory, signal }),
    unpack: (options) => unpackLayer(options),
    pack: (directory, output, compression, signal) => packLayer({ directory, output, compression, signal }),
    cachePlace: (place) => cachePlace(images, place),
    download: downloadFile,
    clone: async (reference, target, signal) => {
      try {
        return await cloneRepository(reference, target, signal)
      } catch (error) {
        await rm(target, { recursive: true, force: true })
        throw error
      }
    },
  }
}
