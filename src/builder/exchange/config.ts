import { LIMITS, parseJsonObject } from '../../oci/index.js'
import type { StepRecord } from '../cache/records.js'

/**
 * BuildKit's description of cached steps (moby/buildkit, "cacheconfig.v0"): layers, and records that point to them.
 * Our records have a member of their own, `jubako`; BuildKit's own say nothing to us, for their digests are others.
 */
export const CACHE_CONFIG = 'application/vnd.buildkit.cacheconfig.v0'
/** Member of an image configuration that has records; their layers are the image's by number. */
export const INLINE_CACHE = 'moby.buildkit.cache.v0'

const KINDS: readonly StepRecord['kind'][] = ['run', 'copy', 'workdir']

export interface CacheLayer {
  blob: string
  diffId: string
  /** Bytes of the blob. */
  size: number
  mediaType: string
  /** Milliseconds since the epoch. */
  createdAt: number
}

/** A step as it is passed on. */
export interface PortableRecord {
  key: string
  /** Index of its layer; undefined: it changed no file. */
  layer: number | undefined
  kind: StepRecord['kind']
  description: string
  createdAt: number
}

const time = (ms: number) => new Date(ms).toISOString()

export function encodeRecords(records: readonly PortableRecord[]): object[] {
  return records.map(({ key, layer, kind, description, createdAt }) => ({
    ...(layer !== undefined && { layers: [{ layer, createdAt: time(createdAt) }] }),
    digest: `sha256:${key}`,
    jubako: { kind, description, createdAt },
  }))
}

export function encodeConfig(layers: readonly CacheLayer[], records: readonly PortableRecord[]): Buffer {
  const described = layers.map(({ blob, diffId, size, mediaType, createdAt }) => ({
    blob,
    parent: -1,
    annotations: { mediaType, diffID: diffId, size, createdAt: time(createdAt) },
  }))
  return Buffer.from(JSON.stringify({ layers: described, records: encodeRecords(records) }))
}

/** Records that we can use; everything else in the document is somebody else's. */
export function decodeRecords(value: unknown, layers: number): PortableRecord[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((entry: unknown): PortableRecord[] => {
    const { digest, layers: results, jubako } = (entry ?? {}) as Record<string, unknown>
    const key = /^sha256:([0-9a-f]{64})$/.exec(String(digest))?.[1]
    const { kind, description, createdAt } = (jubako ?? {}) as Record<string, unknown>
    const known = KINDS.find((name) => name === kind)
    if (key === undefined || known === undefined || !Number.isSafeInteger(createdAt)) return []
    const layer = Array.isArray(results) ? (results[0] as { layer?: unknown } | undefined)?.layer : undefined
    const isLayer = Number.isInteger(layer) && (layer as number) >= 0 && (layer as number) < layers
    if (layer !== undefined && !isLayer) return []
    const shown = typeof description === 'string' ? description.slice(0, 4096) : ''
    return [
      { key, layer: layer as number | undefined, kind: known, description: shown, createdAt: createdAt as number },
    ]
  })
}

export function decodeConfig(bytes: Buffer, what: string): { layers: CacheLayer[]; records: PortableRecord[] } {
  const { layers = [], records } = parseJsonObject(bytes, what, LIMITS.configBytes)
  const found = Array.isArray(layers) ? layers : []
  return {
    layers: found.map((entry: unknown) => {
      const { blob, annotations } = (entry ?? {}) as { blob?: unknown; annotations?: Record<string, unknown> }
      return {
        blob: String(blob),
        diffId: String(annotations?.diffID),
        size: Number(annotations?.size),
        mediaType: String(annotations?.mediaType),
        createdAt: Date.parse(String(annotations?.createdAt)) || 0,
      }
    }),
    records: decodeRecords(records, found.length),
  }
}
