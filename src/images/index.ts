export { BUILTIN_REFERENCE } from './builtin.js'
export type { Collected } from './collect.js'
export type { ComposeOptions, LayerFiles } from './compose.js'
export type { ImageHistoryEntry } from './history.js'
export { ImageStore, type ImageStoreOptions } from './image-store.js'
export type { LayerRecord, LayerStore } from './layer-store.js'
export type { OuterDecoders } from './load/decompress.js'
export {
  type Annotation,
  type InspectedManifest,
  type ListedManifest,
  ManifestLists,
} from './manifest-lists.js'
export type { ServedTag } from './served.js'
export type { SnapshotRecord } from './snapshots.js'
export type * from './types.js'
