/**
 * jubako: a container engine for Linux inside Node.js.
 *
 * @packageDocumentation
 */
export type { ImageApi } from './engine/images.js'
export type * from './engine/network-types.js'
export type * from './engine/serve-types.js'
export type * from './engine/types.js'
export type * from './engine/usage-types.js'
export { type ErrorCode, type ErrorDetails, isJubakoError, JubakoError } from './errors/index.js'
export {
  type AccessEntry,
  type CollectedGarbage,
  type Policy,
  type PolicyRule,
  type RegistryOptions,
  type RegistryServer,
  serveRegistry,
} from './hub/index.js'
export { Engine } from './served-engine.js'
