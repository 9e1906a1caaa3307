import type { ContainerSummary, ImageSummary } from './types.js'
import type { VolumeSummary } from './volume-types.js'

/** An image and what it takes. */
export interface ImageUsage extends ImageSummary {
  /** Bytes of layers that other images have too. */
  sharedSize: number
  /** Bytes of layers that no other image has: what its removal gives back. */
  uniqueSize: number
  /** Number of containers made of it. */
  containers: number
}

/** A container and what it wrote. */
export interface ContainerUsage extends ContainerSummary {
  /** Bytes. */
  size: number
}

/** A volume and what is in it. */
export interface VolumeUsage extends VolumeSummary {
  /** Bytes. */
  size: number
}

/** What the data root takes, by kind. */
export interface SystemUsage {
  images: ImageUsage[]
  /** Bytes of all layers, each counted once. */
  layersSize: number
  /** Of those the bytes that no container needs. */
  layersReclaimable: number
  containers: ContainerUsage[]
  /** By name. */
  volumes: VolumeUsage[]
}

/** What pruning took away. */
export interface PrunedContainers {
  /** IDs. */
  removed: string[]
  /** Bytes they had written. */
  reclaimed: number
}

export interface PruneContainersOptions {
  /** Those for which it is false stay. Default: all that do not run. */
  filter?: (container: ContainerSummary) => boolean
}
