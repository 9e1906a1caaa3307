import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Descriptor,
  type Digest,
  digestOf,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from '../../oci/index.js'
import type { Scratch, StepCache, StepRecord } from '../cache/records.js'
import { CACHE_CONFIG, type CacheLayer, encodeConfig, encodeRecords, type PortableRecord } from './config.js'
import { layersOf } from './import.js'
import type { CachePlace, CacheTarget, PackLayer } from './types.js'

const MEDIA_TYPES = { gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD } as const

const portable = ({ key, kind, description, createdAt }: StepRecord, layer: number | undefined): PortableRecord => ({
  key,
  layer,
  kind,
  description,
  createdAt,
})

/** Records for an image's configuration; their layers are the image's, lowest first. */
export function inlineRecords(records: readonly StepRecord[], diffIds: readonly string[]): string {
  const found = records.flatMap((record) => {
    if (record.layer === '') return [portable(record, undefined)]
    const layer = diffIds.indexOf(record.hashed?.diffId ?? '')
    return layer < 0 ? [] : [portable(record, layer)]
  })
  return Buffer.from(JSON.stringify(encodeRecords(found))).toString('base64')
}

/** Puts steps and their layers where other builds find them. What the place has is not packed again. */
export async function exportSteps(
  place: CachePlace,
  target: CacheTarget,
  records: readonly StepRecord[],
  parts: { cache: StepCache; scratch: Scratch; pack: PackLayer },
  signal: AbortSignal,
): Promise<void> {
  const present = await layersOf(place, parts.scratch, signal)
  const layers: CacheLayer[] = []
  const portables: PortableRecord[] = []
  for (const record of records) {
    if (record.layer === '') {
      portables.push(portable(record, undefined))
      continue
    }
    const { diffId } = record.hashed!
    let index = layers.findIndex((layer) => layer.diffId === diffId)
    if (index < 0) {
      const known = present.get(diffId)
      const usable = known !== undefined && (await place.has(descriptorOf(known), signal))
      index = layers.push(usable ? known : await storeLayer(place, target, record, parts, signal)) - 1
    }
    portables.push(portable(record, index))
  }
  const bytes = encodeConfig(layers, portables)
  const config: Descriptor = { mediaType: CACHE_CONFIG, digest: digestOf(bytes), size: bytes.length }
  const path = join(parts.scratch.directory('export'), 'config')
  writeFileSync(path, bytes)
  await place.store(config, path, signal)
  const descriptors = layers.map(descriptorOf)
  const mediaType = target.imageManifest ? OCI_MANIFEST : OCI_INDEX
  const content = target.imageManifest ? { config, layers: descriptors } : { manifests: [...descriptors, config] }
  await place.publish(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content })), mediaType, signal)
}

const descriptorOf = ({ blob, size, mediaType }: CacheLayer): Descriptor => ({
  mediaType,
  digest: blob as Digest,
  size,
})

async function storeLayer(
  place: CachePlace,
  { compression = 'gzip' }: CacheTarget,
  record: StepRecord,
  { cache, scratch, pack }: { cache: StepCache; scratch: Scratch; pack: PackLayer },
  signal: AbortSignal,
): Promise<CacheLayer> {
  const path = join(scratch.directory('export'), 'layer')
  const fd = openSync(path, 'wx', 0o600)
  try {
    const { digest, diffId, written } = await pack(cache.layerPath(record)!, fd, compression, signal)
    const mediaType = MEDIA_TYPES[compression]
    await place.store({ mediaType, digest: digest as Digest, size: written }, path, signal)
    return { blob: digest, diffId, size: written, mediaType, createdAt: record.createdAt }
  } finally {
    closeSync(fd)
    rmSync(path)
  }
}
