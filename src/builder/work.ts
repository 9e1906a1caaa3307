import { statSync } from 'node:fs'
import type { Instruction } from '../dockerfile/index.js'
import type { CacheUse, Scratch, StepCache, StepRecord } from './cache/records.js'
import type { BuildContext } from './context.js'
import type { ForeignSteps } from './exchange/import.js'
import { layerPaths, type StageLayer, type StageState } from './state.js'
import { TreeSession } from './tree/session.js'
import type { BuildEvent, BuilderParts, HashedLayer, StepLimits } from './types.js'

/** Values that may not get into any layer. */
export type Secrets = Readonly<Record<string, Buffer>>

/** What all steps of a build share. */
export interface Work {
  parts: BuilderParts
  cache: StepCache
  use: CacheUse
  scratch: Scratch
  context: BuildContext
  secrets: Secrets
  /** Agents' sockets by their id. */
  ssh: Readonly<Record<string, string>>
  limits: StepLimits
  /** SOURCE_DATE_EPOCH in seconds. */
  epoch: number | undefined
  allowInsecure: boolean
  allowSecretsInLayers: boolean
  keepFailed: boolean
  /** Names of cache mounts begin with it. */
  mountNamespace: string
  hostname: string | undefined
  signal: AbortSignal
  emit(event: BuildEvent): void
  open(from: string, user: { stage: number; instruction: Instruction }): Promise<OpenedFrom>
  /** Records made by this build. */
  fresh: StepRecord[]
  /** Those and the ones that were found, by key. */
  used: Map<string, StepRecord>
  hashing: Map<string, Promise<HashedLayer>>
  /** Steps that others have built. */
  foreign: Promise<ForeignSteps> | undefined
}

/** What `--from` names: layers with the digest of what made them, or a context. */
export type OpenedFrom = { layers: string[]; key: string } | { context: BuildContext }

/** One step's writable layer while it is being made. */
export interface Draft {
  upper: string
  work: string
}

/** Empty, with the owner and mode of the directory it lies over. */
export function draft(work: Work, name: string): Draft {
  return { upper: work.scratch.directory(name), work: work.scratch.directory('work') }
}

const now = (work: Work): number => (work.epoch === undefined ? work.parts.now() : work.epoch * 1000)

/** What was built before for a key, here or by others, as a layer. */
export async function cached(
  work: Work,
  key: string,
  state: StageState,
): Promise<{ record: StepRecord; layer: StageLayer | undefined } | undefined> {
  const record = work.cache.find(key) ?? (await brought(work, key, state))
  if (record === undefined) return undefined
  work.use.add(key)
  work.cache.touch(key, work.parts.now())
  work.used.set(key, record)
  return { record, layer: record.layer === '' ? undefined : layerOf(work, record) }
}

async function brought(work: Work, key: string, state: StageState): Promise<StepRecord | undefined> {
  const foreign = await work.foreign
  const record = await foreign?.bring(key, rootOwner(pathsOf(work, state)), work.signal)
  if (record === undefined) return undefined
  work.cache.add(record)
  work.fresh.push(record)
  return record
}

/** The layer of a record; its digest is computed if it is not known. */
export function layerOf(work: Work, record: StepRecord): StageLayer {
  if (record.hashed !== undefined) return { kind: 'step', record, hashed: Promise.resolve(record.hashed) }
  let hashed = work.hashing.get(record.layer)
  if (hashed === undefined) {
    hashed = work.parts.hashLayer(work.cache.layerPath(record)!, work.signal).then((result) => {
      record.hashed = result
      work.cache.add(record)
      return result
    })
    // Asked for at the end of the build; a failure is told there.
    hashed.catch(() => {})
    work.hashing.set(record.layer, hashed)
    work.fresh.push(record)
  }
  return { kind: 'step', record, hashed }
}

/**
 * Takes a draft as the layer of a step. Its digest is computed while other steps go on.
 *
 * @param keys all keys it can be found by
 */
export async function commit(
  work: Work,
  made: Draft,
  keys: readonly string[],
  kind: StepRecord['kind'],
  description: string,
): Promise<{ record: StepRecord; layer: StageLayer | undefined }> {
  const empty = made.upper === ''
  if (!empty && work.epoch !== undefined) await clamp(made.upper, work.epoch)
  const layer = empty ? '' : work.cache.keep(made.upper)
  const base = { layer, kind, description, createdAt: now(work) }
  const records = keys.map((key): StepRecord => ({ key, ...base }))
  for (const record of records) {
    work.use.add(record.key)
    work.cache.add(record)
    work.used.set(record.key, record)
  }
  const [record, ...others] = records as [StepRecord, ...StepRecord[]]
  const result = empty ? undefined : layerOf(work, record)
  if (empty) work.fresh.push(record)
  for (const other of others) {
    work.fresh.push(other)
    if (result?.kind !== 'step') continue
    void result.hashed.then(
      (hashed) => {
        other.hashed = hashed
      },
      () => {},
    )
  }
  return { record, layer: result }
}

/** Files changed after the epoch have its time, so that the layer is the same whenever it is made. */
async function clamp(upper: string, epoch: number): Promise<void> {
  const session = new TreeSession([], { layers: [], upper, work: '' })
  try {
    await session.act({ act: 'clamp', latest: epoch })
  } finally {
    await session.close()
  }
}

/** Adds what a step made to a stage. */
export function append(
  state: StageState,
  made: { record: StepRecord; layer: StageLayer | undefined },
  key: string,
  createdBy: string,
  work: Work,
): void {
  state.key = key
  const created = new Date(work.epoch === undefined ? made.record.createdAt : work.epoch * 1000).toISOString()
  if (made.layer !== undefined) {
    state.layers.push(made.layer)
    state.created = created
  }
  note(state, createdBy, made.layer === undefined, created)
}

/** One line of the image's history. */
export function note(state: StageState, createdBy: string, empty: boolean, created = state.created): void {
  state.history.push({
    ...(created !== undefined && { created }),
    created_by: createdBy,
    comment: 'buildkit.dockerfile.v0',
    ...(empty && { empty_layer: true }),
  })
}

/** The root directory's own mode and owner for a new writable layer. */
export function rootOwner(layers: readonly string[]): { mode: number; uid: number; gid: number } {
  if (layers[0] === undefined) return { mode: 0o755, uid: 0, gid: 0 }
  const { mode, uid, gid } = statSync(layers[0])
  return { mode: mode & 0o7777, uid, gid }
}

export const pathsOf = (work: Work, state: StageState): string[] => layerPaths(state, work.cache)
