import { humanDuration } from '../../engine/duration.js'
import type { ImageUsage, SystemUsage } from '../../engine/usage-types.js'
import { Fields } from '../template/index.js'
import { containerRow } from './container-row.js'
import { imageRows, imageStyle } from './image-row.js'
import { compiled, escapeHtml, formatList, type ListStyle } from './list.js'
import { humanSize, localTime, shortId } from './units.js'
import { type CacheUsage, sizeOf } from './usage.js'
import { volumeRow, volumeStyle } from './volume-row.js'

type Row = Record<string, unknown>

const image: ListStyle = {
  ...imageStyle(false),
  table:
    '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}',
}

const container: ListStyle = {
  typeName: '*formatter.ContainerContext',
  table: '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}',
  headings: {
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Command: 'COMMAND',
    LocalVolumes: 'LOCAL VOLUMES',
    Size: 'SIZE',
    RunningFor: 'CREATED',
    Status: 'STATUS',
    Names: 'NAMES',
  },
}

const volume: ListStyle = {
  ...volumeStyle,
  table: '{{.Name}}\t{{.Links}}\t{{.Size}}',
  headings: { ...volumeStyle.headings, Links: 'LINKS' },
}

const cache: ListStyle = {
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

interface Rows {
  images: Row[]
  containers: Row[]
  volumes: Row[]
  cache: Row[]
}

function rowsOf(usage: SystemUsage, entries: readonly CacheUsage[], now: number, truncate: boolean): Rows {
  const ago = (then: number) => `${humanDuration(now - then)} ago`
  const imageSizes = ({ sharedSize, uniqueSize, containers }: ImageUsage): Row => ({
    Size: humanSize(sharedSize + uniqueSize),
    SharedSize: humanSize(sharedSize),
    UniqueSize: humanSize(uniqueSize),
    Containers: String(containers),
  })
  return {
    images: usage.images.flatMap((it) =>
      imageRows(it, { now, truncate, digests: false }).map((row) => ({ ...row, ...imageSizes(it) })),
    ),
    containers: usage.containers.map((it) => ({ ...containerRow(it, { now, truncate }), Size: humanSize(it.size) })),
    volumes: usage.volumes.map((it) => ({
      ...volumeRow(it),
      Links: String(it.containers.length),
      Size: humanSize(it.size),
    })),
    cache: entries.map(({ id, kind, description, size, createdAt, lastUsedAt, inUse, shared }) => ({
      ID: truncate ? shortId(id) : id,
      CacheType: kind,
      Description: description,
      Size: humanSize(size),
      CreatedAt: localTime(createdAt),
      CreatedSince: ago(createdAt),
      LastUsedAt: localTime(lastUsedAt),
      LastUsedSince: ago(lastUsedAt),
      InUse: String(inUse),
      Shared: String(shared),
    })),
  }
}

/** `system df -v`. */
export function verboseUsage(usage: SystemUsage, entries: readonly CacheUsage[], now: number): string {
  const rows = rowsOf(usage, entries, now, true)
  return [
    `Images space usage:\n\n${formatList(image, rows.images, undefined)}`,
    `Containers space usage:\n\n${formatList(container, rows.containers, undefined)}`,
    `Local Volumes space usage:\n\n${formatList(volume, rows.volumes, undefined)}`,
    `Build cache usage: ${humanSize(sizeOf(entries))}\n\n${formatList(cache, rows.cache, undefined)}`,
  ].join('\n')
}

/** `system df -v --format`: one object of four lists; `json`, or a template that sees all of it. No line end is added. */
export function formatVerboseUsage(
  usage: SystemUsage,
  entries: readonly CacheUsage[],
  now: number,
  format: string,
): string {
  const rows = rowsOf(usage, entries, now, false)
  const fields = (style: ListStyle, list: readonly Row[]) => list.map((row) => new Fields(style.typeName, row))
  const all = {
    Images: fields(image, rows.images),
    Containers: fields(container, rows.containers),
    Volumes: fields(volume, rows.volumes),
    BuildCache: fields(cache, rows.cache),
  }
  if (format === 'json') return escapeHtml(JSON.stringify(all))
  return compiled(format)(new Fields('*formatter.diskUsageContext', all))
}
