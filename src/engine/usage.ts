import type { EngineContext } from './context.js'
import { diskUsage } from './disk-usage.js'
import { removeContainer } from './remove.js'
import { summaryOf } from './state.js'
import { untilGone } from './stop.js'
import type { ContainerSummary } from './types.js'
import type {
  ContainerUsage,
  ImageUsage,
  PruneContainersOptions,
  PrunedContainers,
  SystemUsage,
  VolumeUsage,
} from './usage-types.js'
import { volumeApi } from './volumes.js'

const stopped = ({ state }: ContainerSummary): boolean => state === 'exited' || state === 'created' || state === 'dead'

/** What images, containers and volumes take. Layers are counted as often as they are on the disk: once. */
export async function systemUsage(context: EngineContext): Promise<SystemUsage> {
  const { store, images } = context
  const configs = store.all()
  const summaries = images
    .list()
    .map((summary) => ({ summary, layers: new Set<string>(images.resolve(summary.id).chainIds) }))
  const sizes = new Map<string, number>()
  const holders = new Map<string, number>()
  for (const { layers } of summaries) {
    for (const layer of layers) {
      sizes.set(layer, images.layers.read(layer as never)?.size ?? 0)
      holders.set(layer, (holders.get(layer) ?? 0) + 1)
    }
  }
  const sum = (layers: Iterable<string>): number =>
    [...layers].reduce((total, layer) => total + (sizes.get(layer) ?? 0), 0)
  const rows = summaries.map(({ summary, layers }): ImageUsage => {
    const shared = sum([...layers].filter((layer) => (holders.get(layer) ?? 0) > 1))
    const containers = configs.filter(({ imageId }) => imageId === summary.id).length
    return { ...summary, sharedSize: shared, uniqueSize: sum(layers) - shared, containers }
  })
  const used = new Set(summaries.filter((_, i) => rows[i]!.containers > 0).flatMap(({ layers }) => [...layers]))
  const containers: ContainerUsage[] = []
  for (const config of configs) {
    containers.push({ ...summaryOf(context, config), size: await diskUsage(store.places.of(config.id).upper) })
  }
  const volumes: VolumeUsage[] = []
  for (const volume of await volumeApi(context).list()) {
    volumes.push({ ...volume, size: await diskUsage(volume.mountpoint) })
  }
  const layersSize = sum(sizes.keys())
  return { images: rows, layersSize, layersReclaimable: layersSize - sum(used), containers, volumes }
}

/** Removes containers that do not run. What is removed or started by others meanwhile is left to them. */
export async function pruneContainers(
  context: EngineContext,
  options: PruneContainersOptions = {},
): Promise<PrunedContainers> {
  const { filter = () => true } = options
  const removed: string[] = []
  let reclaimed = 0
  for (const config of context.store.all()) {
    const summary = summaryOf(context, config)
    if (!stopped(summary) || !filter(summary)) continue
    // A supervisor whose container has ended cleans up first.
    if (context.store.isEnding(config.id)) await untilGone(context, config.id)
    if (context.store.isRunning(config.id)) continue
    reclaimed += await diskUsage(context.store.places.of(config.id).upper)
    await removeContainer(context, config)
    removed.push(config.id)
  }
  const attributes = { reclaimed: String(reclaimed) }
  context.events.emit({ type: 'container', action: 'prune', actor: { id: '', attributes } })
  return { removed, reclaimed }
}
