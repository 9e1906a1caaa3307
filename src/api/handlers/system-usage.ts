import type { CacheEntry } from '../../engine/build-types.js'
import type { VolumeUsage } from '../../engine/usage-types.js'
import type { Call } from '../call.js'
import { badRequest } from '../errors.js'
import { containerSummary } from '../shapes/container-summary.js'
import { imageRow } from './images.js'

const KINDS = ['container', 'image', 'volume', 'build-cache']

const time = (milliseconds: number): string => new Date(milliseconds).toISOString()

const cacheRow = (entry: CacheEntry): Record<string, unknown> => ({
  ID: entry.id,
  Type: entry.kind,
  Description: entry.description,
  InUse: entry.inUse,
  Shared: entry.shared,
  Size: entry.size,
  CreatedAt: time(entry.createdAt),
  LastUsedAt: time(entry.lastUsedAt),
})

/** `GET /system/df`; `type` (since 1.42) leaves the other kinds out. */
export async function systemUsage(call: Call): Promise<void> {
  const { engine, resident } = call
  const asked = call.query.all('type')
  const unknown = asked.find((it) => !KINDS.includes(it))
  if (unknown !== undefined) throw badRequest(`unknown object type: ${unknown}`)
  const wants = (kind: string): boolean => asked.length === 0 || asked.includes(kind)
  const [usage, cache] = [await engine.usage(), wants('build-cache') ? await engine.build.cache() : []]
  const answer: Record<string, unknown> = {}
  if (wants('image')) {
    answer.LayersSize = usage.layersSize
    answer.Images = usage.images.map((image) => ({
      ...imageRow(image, image.containers, call.version),
      SharedSize: image.sharedSize,
    }))
  }
  if (wants('container')) {
    const sizes = new Map(usage.images.map(({ id, size }) => [id, size]))
    const seen = usage.containers.filter(({ labels }) => resident.sees(labels))
    const listings = new Map((await engine.listContainers()).map((it) => [it.summary.id, it]))
    answer.Containers = seen.map((container) => ({
      ...resident.shown(
        containerSummary(
          { ...(listings.get(container.id) ?? { mounts: [], networks: {} }), summary: container },
          Date.now(),
        ),
      ),
      SizeRw: container.size,
      SizeRootFs: container.size + (sizes.get(container.imageId) ?? 0),
    }))
  }
  if (wants('volume')) answer.Volumes = await volumeRows(call, usage.volumes)
  if (wants('build-cache')) {
    answer.BuildCache = cache.map(cacheRow)
    answer.BuilderSize = cache.reduce((sum, { size }) => sum + size, 0)
  }
  await call.reply.json(200, answer)
}

async function volumeRows({ resident }: Call, volumes: readonly VolumeUsage[]): Promise<unknown[]> {
  const rows = []
  for (const { name, labels, size, containers } of volumes) {
    if (!resident.sees(labels)) continue
    const { shape } = await resident.volume(name)
    rows.push({ ...shape, UsageData: { Size: size, RefCount: containers.length } })
  }
  return rows
}
