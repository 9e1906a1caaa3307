export type {
  BuildEvent,
  BuildOptions,
  BuildResult,
  CacheEntry,
  CacheMount,
  CacheSource,
  CacheTarget,
  ContextSource,
  FailedStep,
  MemoryFile,
  Outline,
  PruneCacheOptions,
  PrunedCache,
  StepLimits,
} from '../builder/index.js'
export { BuildError } from '../builder/index.js'
