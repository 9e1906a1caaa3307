import type { Readable } from 'node:stream'
import type { EngineContext } from './context.js'
import type { PushedImage, PushOptions } from './image-types.js'
import type { ImageSummary, LoadedImage, LoadOptions, PullOptions, PullResult } from './types.js'

/** Everything about images. Called as a function it lists them. */
export interface ImageApi {
  /** All images, newest first. */
  (): Promise<ImageSummary[]>
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
  /** Gives an image another name. */
  tag(source: string, target: string): Promise<void>
}

export function imageApi(context: EngineContext): ImageApi {
  const { images } = context
  return Object.assign(async () => images.list(), {
    pull: (reference: string, options: PullOptions = {}) => images.pull(reference, options),
    pullAll: async (repository: string, options: PullOptions = {}) => images.pullAll(repository, options),
    push: (reference: string, options: PushOptions = {}) => images.push(reference, options),
    load: (source: string | Readable, options: LoadOptions = {}) => images.load(source, options),
    tag: (source: string, target: string) => images.tag(source, target),
  })
}
