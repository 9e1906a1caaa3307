import { createHash } from 'node:crypto'
import type { ContainerConfig, HistoryEntry, ImageConfig, ImageId, Platform } from '../oci/index.js'
import type { StepCache, StepRecord } from './cache/records.js'
import type { BaseImage, HashedLayer } from './types.js'

/** A layer of a stage: one of an image, or what a step made. */
export type StageLayer =
  | { kind: 'image'; path: string; hashed: Pick<HashedLayer, 'diffId'>; chainId: string }
  | { kind: 'step'; record: StepRecord; hashed: Promise<HashedLayer> }

/** What a stage is after some of its instructions. Copied for the stages that stand on it. */
export interface StageState {
  /** Digest of all that made it. */
  key: string
  /** The image it stands on. */
  base: ImageId | undefined
  /** Lowest first. */
  layers: StageLayer[]
  config: ContainerConfig
  history: HistoryEntry[]
  /** Values of its ARG instructions, which the stages that stand on it have too. */
  args: ReadonlyMap<string, string | undefined>
  author: string | undefined
  platform: Platform
  /** RFC 3339 of the newest layer; what metadata says that has no time of its own. */
  created: string | undefined
}

/** One digest of many parts; lengths keep them apart. */
export function keyOf(...parts: readonly (string | readonly string[])[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

export function scratchState(platform: Platform, seed: string): StageState {
  return {
    key: keyOf('scratch', seed),
    base: undefined,
    layers: [],
    config: {},
    history: [],
    args: new Map(),
    author: undefined,
    platform,
    created: undefined,
  }
}

export function imageState(image: BaseImage, seed: string): StageState {
  const paths = [...image.layers].reverse()
  const { config, history, author, created }: ImageConfig = image.config
  return {
    key: keyOf('image', image.id, seed),
    base: image.id,
    layers: paths.map((path, i) => ({
      kind: 'image',
      path,
      hashed: { diffId: image.diffIds[i]! },
      chainId: image.chainIds[i]!,
    })),
    config: structuredClone(config),
    history: structuredClone(history),
    args: new Map(),
    author,
    platform: image.platform,
    created,
  }
}

export function copyState(state: StageState): StageState {
  return {
    ...state,
    layers: [...state.layers],
    config: structuredClone(state.config),
    history: structuredClone(state.history),
  }
}

/** Directories of a state's layers, TOPMOST FIRST. */
export function layerPaths(state: StageState, cache: StepCache): string[] {
  return state.layers
    .map((layer) =>
      layer.kind === 'image'
        ? layer.path
        : (cache.layerPath(layer.record) ?? `${cache.layers}/${layer.record.layer}/diff`),
    )
    .reverse()
}
