import { humanDuration } from '../../engine/duration.js'
import type { SystemUsage } from '../../engine/usage-types.js'
import { containerRow } from './container-row.js'
import { splitTag } from './image-row.js'
import type { ListStyle } from './list.js'
import { formatList } from './list.js'
import { humanSize, shortId } from './units.js'

/** An entry of the build cache, as far as it is shown here. */
export interface CacheUsage {
  id: string
  kind: string
  size: number
  createdAt: number
  lastUsedAt: number
  inUse: boolean
  shared: boolean
}

export const usageStyle: ListStyle = {
  typeName: '*formatter.diskUsageContext',
  table: '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}',
  headings: { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' },
}

interface Sum {
  total: number
  active: number
  size: number
  reclaimable: number
  /** Docker gives no share for the build cache. */
  share?: boolean
}

function row(Type: string, { total, active, size, reclaimable, share = true }: Sum): Record<string, unknown> {
  const percent = size > 0 && share ? ` (${Math.floor((reclaimable * 100) / size)}%)` : ''
  return {
    Type,
    TotalCount: String(total),
    Active: String(active),
    Size: humanSize(size),
    Reclaimable: `${humanSize(reclaimable)}${percent}`,
  }
}

const isActive = ({ state }: { state: string }): boolean =>
  state === 'running' || state === 'paused' || state === 'restarting'
const sizeOf = (list: readonly { size: number }[]): number => list.reduce((sum, { size }) => sum + size, 0)

/** The lines of `system df`. */
export function usageRows(usage: SystemUsage, cache: readonly CacheUsage[]): Record<string, unknown>[] {
  const { images, containers } = usage
  return [
    row('Images', {
      total: images.length,
      active: images.filter(({ containers: users }) => users > 0).length,
      size: usage.layersSize,
      reclaimable: usage.layersReclaimable,
    }),
    row('Containers', {
      total: containers.length,
      active: containers.filter(isActive).length,
      size: sizeOf(containers),
      reclaimable: sizeOf(containers.filter((it) => !isActive(it))),
    }),
    row('Build Cache', {
      total: cache.length,
      active: cache.filter(({ inUse }) => inUse).length,
      size: sizeOf(cache),
      reclaimable: sizeOf(cache.filter(({ inUse }) => !inUse)),
      share: false,
    }),
  ]
}

const imageStyle: ListStyle = {
  typeName: '*formatter.imageContext',
  table:
    '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}',
  headings: {
    Repository: 'REPOSITORY',
    Tag: 'TAG',
    ID: 'IMAGE ID',
    CreatedSince: 'CREATED',
    Size: 'SIZE',
    SharedSize: 'SHARED SIZE',
    UniqueSize: 'UNIQUE SIZE',
    Containers: 'CONTAINERS',
  },
}

const containerStyle: ListStyle = {
  typeName: '*formatter.ContainerContext',
  table: '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.Written}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}',
  headings: {
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Command: 'COMMAND',
    Written: 'SIZE',
    RunningFor: 'CREATED',
    Status: 'STATUS',
    Names: 'NAMES',
  },
}

const cacheStyle: ListStyle = {
  typeName: '*formatter.buildCacheContext',
  table: '{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.Shared}}',
  headings: {
    ID: 'CACHE ID',
    CacheType: 'CACHE TYPE',
    Size: 'SIZE',
    CreatedSince: 'CREATED',
    LastUsedSince: 'LAST USED',
    Shared: 'SHARED',
  },
}

/** `system df -v`. */
export function verboseUsage(usage: SystemUsage, cache: readonly CacheUsage[], now: number): string {
  const ago = (then: number) => `${humanDuration(now - then)} ago`
  const images = usage.images.flatMap((image) =>
    (image.tags.length > 0 ? image.tags : ['<none>:<none>']).map((tag) => {
      const [Repository, Tag] = splitTag(tag)
      return {
        Repository,
        Tag,
        ID: shortId(image.id),
        CreatedSince: ago(image.createdAt),
        Size: humanSize(image.sharedSize + image.uniqueSize),
        SharedSize: humanSize(image.sharedSize),
        UniqueSize: humanSize(image.uniqueSize),
        Containers: String(image.containers),
      }
    }),
  )
  const containers = usage.containers.map((container) => ({
    ...containerRow(container, { now, truncate: true }),
    Written: humanSize(container.size),
  }))
  const entries = cache.map((entry) => ({
    ID: entry.id,
    CacheType: entry.kind,
    Size: humanSize(entry.size),
    CreatedSince: ago(entry.createdAt),
    LastUsedSince: ago(entry.lastUsedAt),
    Shared: String(entry.shared),
  }))
  return [
    `Images space usage:\n\n${formatList(imageStyle, images, undefined)}`,
    `Containers space usage:\n\n${formatList(containerStyle, containers, undefined)}`,
    `Build cache usage: ${humanSize(sizeOf(cache))}\n\n${formatList(cacheStyle, entries, undefined)}`,
  ].join('\n')
}
