/** Images from Dockerfiles: stages, steps and their cache. */
export { Builder } from './build.js'
export { type CacheMount, listCacheMounts } from './cache/mounts.js'
export { StepCache } from './cache/records.js'
export type { ContextSource, MemoryFile } from './context.js'
export { BuildError } from './error.js'
export type { CachePlace, CacheSource, CacheTarget, PackLayer } from './exchange/types.js'
export type { BuildOptions, BuildResult } from './options.js'
export type { Outline } from './outline.js'
export { type CacheEntry, cacheEntries, type PruneCacheOptions, type PrunedCache, pruneCache } from './prune.js'
export { TreeSession } from './tree/session.js'
export type {
  BaseImage,
  BuildEvent,
  BuilderParts,
  BuildImages,
  FailedStep,
  HashedLayer,
  StepLimits,
  StepMount,
  StepRequest,
  StepResult,
  StepRunner,
} from './types.js'
