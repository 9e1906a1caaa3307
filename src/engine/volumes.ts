import { JubakoError } from '../errors/index.js'
import type { VolumeRecord } from '../runtime/index.js'
import type { Files } from './container-types.js'
import type { EngineContext } from './context.js'
import { diskUsage } from './disk-usage.js'
import { volumeFiles } from './volume-files.js'
import type { Volume, VolumeApi, VolumeCreateOptions, VolumeFilters, VolumeSummary } from './volume-types.js'

/** @throws JubakoError ERR_JUBAKO_NOT_FOUND for a driver that is not `local` */
export function checkVolumeDriver(name: string, driver: string | undefined): void {
  if (driver === undefined || driver === '' || driver === 'local') return
  throw new JubakoError(
    'ERR_JUBAKO_NOT_FOUND',
    `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    { hint: 'the only driver is local' },
  )
}

/** Containers by the volumes they have. */
function usersOf(context: EngineContext): Map<string, string[]> {
  const users = new Map<string, string[]>()
  for (const { id, mounts } of context.store.all()) {
    for (const mount of mounts) {
      if (mount.type !== 'volume') continue
      const list = users.get(mount.name) ?? []
      if (!list.includes(id)) list.push(id)
      users.set(mount.name, list)
    }
  }
  return users
}

function summaryOfVolume(context: EngineContext, record: VolumeRecord, containers: string[]): VolumeSummary {
  const { name, createdAt, labels, options, anonymous } = record
  const mountpoint = context.volumes.mountpoint(name)
  return { name, driver: 'local', mountpoint, createdAt, labels, options, anonymous, containers }
}

const inUse = (name: string, ids: readonly string[]): JubakoError =>
  new JubakoError('ERR_JUBAKO_CONFLICT', `remove ${name}: volume is in use - [${ids.join(', ')}]`, {
    path: name,
    hint: 'remove the containers first',
  })

/** Removes a volume that no container has. */
async function removeVolume(context: EngineContext, name: string, containers: readonly string[]): Promise<void> {
  const { volumes, store } = context
  if (containers.length > 0) throw inUse(name, containers)
  for (const id of volumes.strayUsers(name, (id) => store.load(id) !== undefined)) volumes.forget(name, id)
  if (!(await volumes.remove(name))) throw inUse(name, volumes.users(name))
  context.events.emit({ type: 'volume', action: 'destroy', actor: { id: name, attributes: { driver: 'local' } } })
}

/** Makes a volume and tells it. */
export function makeVolume(
  context: EngineContext,
  options: VolumeCreateOptions,
): { record: VolumeRecord; made: boolean } {
  checkVolumeDriver(options.name ?? '', options.driver)
  const result = context.volumes.create(options)
  if (result.made) {
    const { name } = result.record
    context.events.emit({ type: 'volume', action: 'create', actor: { id: name, attributes: { driver: 'local' } } })
  }
  return result
}

/** Gives a container's volumes back; anonymous ones that nobody else has go when `remove` is set. */
export async function releaseVolumes(
  context: EngineContext,
  id: string,
  mounts: readonly { type: string; name?: string; anonymous?: boolean }[],
  remove: boolean,
): Promise<void> {
  for (const { type, name, anonymous } of mounts) {
    if (type !== 'volume' || name === undefined) continue
    context.volumes.forget(name, id)
    if (!remove || !anonymous || context.volumes.load(name) === undefined) continue
    await removeVolume(context, name, usersOf(context).get(name) ?? []).catch((error: unknown) => {
      if (!(error instanceof JubakoError) || error.code !== 'ERR_JUBAKO_CONFLICT') throw error
    })
  }
}

function labelMatches(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=')
  const key = at < 0 ? wanted : wanted.slice(0, at)
  return Object.hasOwn(labels, key) && (at < 0 || labels[key] === wanted.slice(at + 1))
}

function matches(volume: VolumeSummary, filters: VolumeFilters): boolean {
  const { name = [], driver = [], label = [], 'label!': not = [], dangling } = filters
  return (
    (name.length === 0 || name.some((it) => volume.name.includes(it))) &&
    (driver.length === 0 || driver.includes(volume.driver)) &&
    label.every((it) => labelMatches(volume.labels, it)) &&
    !not.some((it) => labelMatches(volume.labels, it)) &&
    (dangling === undefined || dangling === (volume.containers.length === 0))
  )
}

class VolumeHandle implements Volume {
  constructor(
    private readonly context: EngineContext,
    readonly name: string,
    private readonly made: boolean,
  ) {}

  get mountpoint(): string {
    return this.context.volumes.mountpoint(this.name)
  }

  get files(): Files {
    return volumeFiles(this.context, this.name)
  }

  async summary(): Promise<VolumeSummary> {
    const record = this.context.volumes.get(this.name)
    return summaryOfVolume(this.context, record, usersOf(this.context).get(this.name) ?? [])
  }

  async inspect(): Promise<Record<string, unknown>> {
    const { name, createdAt, labels, options } = this.context.volumes.get(this.name)
    return {
      CreatedAt: new Date(createdAt).toISOString().replace(/\.\d+Z$/, 'Z'),
      Driver: 'local',
      Labels: Object.keys(labels).length === 0 ? null : labels,
      Mountpoint: this.mountpoint,
      Name: name,
      Options: Object.keys(options).length === 0 ? null : options,
      Scope: 'local',
    }
  }

  async size(): Promise<number> {
    return diskUsage(this.mountpoint)
  }

  async remove(): Promise<void> {
    this.context.volumes.get(this.name)
    await removeVolume(this.context, this.name, usersOf(this.context).get(this.name) ?? [])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.made && this.context.volumes.load(this.name) !== undefined) await this.remove()
  }
}

export function volumeApi(context: EngineContext): VolumeApi {
  const list = (filters: VolumeFilters = {}): VolumeSummary[] => {
    const users = usersOf(context)
    return context.volumes
      .all()
      .map((record) => summaryOfVolume(context, record, users.get(record.name) ?? []))
      .filter((volume) => matches(volume, filters))
  }
  return {
    async create(options = {}) {
      const { record, made } = makeVolume(context, options)
      return new VolumeHandle(context, record.name, made)
    },
    async get(name) {
      return new VolumeHandle(context, context.volumes.get(name).name, false)
    },
    async list(filters) {
      return list(filters)
    },
    async remove(name, options = {}) {
      if (options.force && context.volumes.load(name) === undefined) return
      context.volumes.get(name)
      await removeVolume(context, name, usersOf(context).get(name) ?? [])
    },
    async prune(options = {}) {
      const removed: string[] = []
      let reclaimed = 0
      for (const volume of list({ ...options.filters, dangling: true })) {
        if (!options.all && !volume.anonymous) continue
        const size = await diskUsage(volume.mountpoint)
        try {
          await removeVolume(context, volume.name, [])
        } catch (error) {
          // Somebody has taken it in this moment.
          if (error instanceof JubakoError && error.code === 'ERR_JUBAKO_CONFLICT') continue
          throw error
        }
        removed.push(volume.name)
        reclaimed += size
      }
      const attributes = { reclaimed: String(reclaimed) }
      context.events.emit({ type: 'volume', action: 'prune', actor: { id: '', attributes } })
      return { removed, reclaimed }
    },
  }
}
