import type { VolumeFilters } from '../../engine/volume-types.js'
import type { Call } from '../call.js'
import { ApiError } from '../errors.js'
import type { Filters } from '../query.js'

/** The filters of a query, as the engine takes them. */
function volumeFilters(filters: Filters): VolumeFilters {
  const dangling = filters.flag('dangling')
  const lists = (['name', 'driver', 'label', 'label!'] as const).flatMap((name) =>
    filters.has(name) ? [[name, [...filters.get(name)]]] : [],
  )
  return { ...Object.fromEntries(lists), ...(dangling !== undefined && { dangling }) }
}

export async function volumeList(call: Call): Promise<void> {
  const filters = call.query.filters(['dangling', 'driver', 'label', 'name'])
  const found = await call.engine.volumes.list(volumeFilters(filters))
  const seen = found.filter(({ labels }) => call.resident.sees(labels))
  const shapes = await Promise.all(seen.map(async ({ name }) => (await call.resident.volume(name)).shape))
  await call.reply.json(200, { Volumes: shapes, Warnings: null })
}

export async function volumeInspect(call: Call): Promise<void> {
  await call.reply.json(200, (await call.resident.volume(call.params.name!)).shape)
}

export async function volumeCreate(call: Call): Promise<void> {
  const body = await call.json('VolumeCreateOptions')
  const [name, driver] = [body.string('Name'), body.string('Driver')]
  if (body.has('ClusterVolumeSpec')) throw new ApiError(503, 'volumes of a cluster are not supported')
  const volume = await call.engine.volumes.create({
    ...(name && { name }),
    ...(driver && { driver }),
    options: body.map('DriverOpts') ?? {},
    labels: { ...body.map('Labels'), ...call.resident.labels },
  })
  await call.reply.json(201, call.resident.shown(await volume.inspect()))
}

export async function volumeDelete(call: Call): Promise<void> {
  if (call.resident.allow?.labels !== undefined) await call.resident.volume(call.params.name!)
  await call.engine.volumes.remove(call.params.name!, { force: call.query.bool('force') })
  await call.reply.empty(204)
}

export async function volumeUpdate(): Promise<void> {
  throw new ApiError(503, 'volumes of a cluster are not supported')
}

export async function volumePrune(call: Call): Promise<void> {
  const filters = call.query.filters(['all', 'label', 'label!'])
  // Up to 1.41 named volumes go too.
  const all = filters.flag('all') ?? call.version < 42
  const own = { label: [...filters.get('label'), ...call.resident.labelFilters] }
  const { removed, reclaimed } = await call.engine.volumes.prune({
    all,
    filters: { ...volumeFilters(filters), ...(own.label.length > 0 && own) },
  })
  await call.reply.json(200, { VolumesDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: reclaimed })
}
