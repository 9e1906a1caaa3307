/** Layers: tar archives to directories with overlayfs's whiteouts, in a jailed worker of jubako-init. */
export type { UnpackResult } from './frames.js'
export type { Barriers, Compression, UnpackLimits } from './plan.js'
export { type UnpackedLayer, type UnpackOptions, unpackLayer } from './unpack.js'
