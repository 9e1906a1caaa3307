import type { SystemUsage } from '../../engine/usage-types.js'
import type { ListStyle } from './list.js'
import { humanSize } from './units.js'

/** An entry of the build cache, as far as it is shown here. */
export interface CacheUsage {
  id: string
  kind: string
  description: string
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

/** Bytes of all together. */
export const sizeOf = (list: readonly { size: number }[]): number => list.reduce((sum, { size }) => sum + size, 0)

/** The lines of `system df`. */
export function usageRows(usage: SystemUsage, cache: readonly CacheUsage[]): Record<string, unknown>[] {
  const { images, containers, volumes } = usage
  const unused = volumes.filter((volume) => volume.containers.length === 0)
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
    row('Local Volumes', {
      total: volumes.length,
      active: volumes.length - unused.length,
      size: sizeOf(volumes),
      reclaimable: sizeOf(unused),
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
