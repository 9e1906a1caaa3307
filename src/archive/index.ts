/** Layers and trees from and to tar archives, in jailed workers of jubako-init. */
export { decodeFault, type UnpackResult } from './frames.js'
export {
  type PackedLayer,
  type PackLayerOptions,
  type PackOutput,
  type PackTreeOptions,
  packLayer,
  packTree,
} from './pack.js'
export { type Barriers, type Compression, defaultLimits, type UnpackLimits } from './plan.js'
export { type Growth, type UnpackedLayer, type UnpackOptions, unpackLayer } from './unpack.js'
