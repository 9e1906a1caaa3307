export type {
  BuildEvent,
  BuildOptions,
  BuildResult,
  CacheEntry,
  CacheMount,
  ContextSource,
  FailedStep,
  MemoryFile,
  PruneCacheOptions,
  PrunedCache,
  StepLimits,
} from '../builder/index.js'
export { BuildError } from '../builder/index.js'
