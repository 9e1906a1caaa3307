import { chmodSync, chownSync, closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { JubakoError } from '../../errors/index.js'
import {
  type Descriptor,
  type Digest,
  LIMITS,
  parseImageConfig,
  parseJsonObject,
  parseManifest,
} from '../../oci/index.js'
import type { Scratch, StepCache, StepRecord } from '../cache/records.js'
import type { BuilderParts } from '../types.js'
import {
  CACHE_CONFIG,
  type CacheLayer,
  decodeConfig,
  decodeRecords,
  INLINE_CACHE,
  type PortableRecord,
} from './config.js'
import type { CachePlace } from './types.js'

interface Found {
  place: CachePlace
  record: PortableRecord
  layer: CacheLayer | undefined
}

/** Steps that others have built; their layers are fetched when a build wants them. */
export class ForeignSteps {
  readonly #parts: BuilderParts
  readonly #cache: StepCache
  readonly #scratch: Scratch
  readonly #found = new Map<string, Found>()
  /** Layers that were brought, by diffID. */
  readonly #layers = new Map<string, Promise<Pick<StepRecord, 'layer' | 'hashed'>>>()

  constructor(parts: BuilderParts, cache: StepCache, scratch: Scratch) {
    this.#parts = parts
    this.#cache = cache
    this.#scratch = scratch
  }

  /** Reads what a place has. */
  async read(place: CachePlace, signal: AbortSignal): Promise<void> {
    const { layers, records } = await readPlace(place, this.#scratch, signal)
    for (const record of records) {
      if (this.#found.has(record.key)) continue
      const layer = record.layer === undefined ? undefined : layers[record.layer]
      this.#found.set(record.key, { place, record, layer })
    }
  }

  /**
   * The record of a step with its layer here; undefined when nobody has it.
   *
   * @param root mode and owner of the root directory, which no archive has
   */
  async bring(
    key: string,
    root: { mode: number; uid: number; gid: number },
    signal: AbortSignal,
  ): Promise<StepRecord | undefined> {
    const found = this.#found.get(key)
    if (found === undefined) return undefined
    const { place, record, layer } = found
    const { kind, description, createdAt } = record
    if (layer === undefined) return { key, layer: '', kind, description, createdAt }
    let brought = this.#layers.get(layer.diffId)
    if (brought === undefined) {
      brought = this.#unpack(place, layer, root, signal)
      this.#layers.set(layer.diffId, brought)
    }
    return { key, ...(await brought), kind, description, createdAt }
  }

  async #unpack(
    place: CachePlace,
    { blob, size, diffId, mediaType }: CacheLayer,
    root: { mode: number; uid: number; gid: number },
    signal: AbortSignal,
  ): Promise<Pick<StepRecord, 'layer' | 'hashed'>> {
    const archive = join(this.#scratch.directory('import'), 'blob')
    await place.fetch({ mediaType, digest: blob as Digest, size }, archive, signal)
    const target = this.#scratch.directory('imported')
    const fd = openSync(archive, 'r')
    try {
      const made = await this.#parts.unpack({ fd, target, signal })
      if (made.diffId !== diffId) {
        throw new JubakoError('ERR_JUBAKO_INTEGRITY', `${place.name}: layer ${blob} is ${made.diffId}, not ${diffId}`)
      }
      chownSync(target, root.uid, root.gid)
      chmodSync(target, root.mode)
      const { uncompressed, entries, size: fileBytes } = made
      return { layer: this.#cache.keep(target), hashed: { diffId, size: uncompressed, entries, fileBytes } }
    } finally {
      closeSync(fd)
      rmSync(archive)
    }
  }
}

interface Contents {
  layers: CacheLayer[]
  records: PortableRecord[]
}

/** What a place's document leads to: a cache, or an image with its records in it. */
async function readPlace(place: CachePlace, scratch: Scratch, signal: AbortSignal): Promise<Contents> {
  const bytes = await place.document(undefined, signal)
  if (bytes === undefined) throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `${place.name}: not found`)
  const document = parseManifest(bytes, undefined, place.name)
  if (document.kind === 'manifest') {
    if (document.config.mediaType !== CACHE_CONFIG)
      return inlineOf(place, document.config, document.layers, scratch, signal)
    return decodeConfig(await blobOf(place, document.config, scratch, signal), place.name)
  }
  const config = document.manifests.find(({ mediaType }) => mediaType === CACHE_CONFIG)
  if (config !== undefined) return decodeConfig(await blobOf(place, config, scratch, signal), place.name)
  const all: Contents = { layers: [], records: [] }
  for (const { digest } of document.manifests) {
    const one = await place.document(digest, signal)
    const manifest = one === undefined ? undefined : parseManifest(one, undefined, place.name)
    if (manifest?.kind !== 'manifest') continue
    const { layers, records } = await inlineOf(place, manifest.config, manifest.layers, scratch, signal)
    const before = all.layers.length
    all.layers.push(...layers)
    all.records.push(
      ...records.map((record) => ({
        ...record,
        layer: record.layer === undefined ? undefined : record.layer + before,
      })),
    )
  }
  return all
}

async function inlineOf(
  place: CachePlace,
  config: Descriptor,
  layers: readonly Descriptor[],
  scratch: Scratch,
  signal: AbortSignal,
): Promise<Contents> {
  const bytes = await blobOf(place, config, scratch, signal)
  const inline = parseJsonObject(bytes, place.name, LIMITS.configBytes)[INLINE_CACHE]
  if (typeof inline !== 'string') return { layers: [], records: [] }
  const { diffIds } = parseImageConfig(bytes, place.name)
  return {
    layers: layers.map(({ digest, size, mediaType }, i) => ({
      blob: digest,
      diffId: diffIds[i] ?? '',
      size,
      mediaType,
      createdAt: 0,
    })),
    records: decodeRecords(JSON.parse(Buffer.from(inline, 'base64').toString('utf8')), layers.length),
  }
}

async function blobOf(place: CachePlace, blob: Descriptor, scratch: Scratch, signal: AbortSignal): Promise<Buffer> {
  if (blob.size > LIMITS.configBytes) {
    throw new JubakoError('ERR_JUBAKO_LIMIT_EXCEEDED', `${place.name}: ${blob.digest} has ${blob.size} bytes`)
  }
  const path = join(scratch.directory('config'), 'blob')
  await place.fetch(blob, path, signal)
  return readFileSync(path)
}

/** Layers that a place has already, by diffID: they need not be packed again. */
export async function layersOf(
  place: CachePlace,
  scratch: Scratch,
  signal: AbortSignal,
): Promise<Map<string, CacheLayer>> {
  try {
    const { layers } = await readPlace(place, scratch, signal)
    return new Map(layers.map((layer) => [layer.diffId, layer]))
  } catch (error) {
    if (signal.aborted) throw error
    // Nothing there, or nothing of use.
    return new Map()
  }
}
