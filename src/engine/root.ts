import { statSync } from 'node:fs'
import type { ResolvedImage } from '../images/index.js'
import { type Mount, overlay } from '../overlay/index.js'
import { type ContainerConfig, type ContainerMount, planRoot } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import type { Launch } from './launch.js'

/** A container's root file system: its image's layers below one of its own. */
export function rootOf(
  { root, store }: EngineContext,
  { id, layers, autoRemove }: Pick<ContainerConfig, 'id' | 'autoRemove'> & { layers: readonly string[] },
): Mount {
  const { upper, work } = store.places.of(id)
  const lowers = layers.map((path) => (path.startsWith('/') ? path : `${root}/${path}`))
  return overlay({ lowers, upper, work, volatile: autoRemove })
}

/** Of the upper layer's root, which is the container's root directory. */
export function rootMode(image: Pick<ResolvedImage, 'layers'>): number {
  const top = image.layers[0]
  return top === undefined ? 0o755 : statSync(top).mode & 0o7777
}

/** Has a supervisor make the root of a container that has nothing but its name, which says that somebody is at work. */
export function beginRoot(
  context: EngineContext,
  container: Parameters<typeof rootOf>[1],
  rootMode: number,
  mounts: readonly ContainerMount[],
  launch: Launch,
): void {
  const { store } = context
  const { act, undo } = planRoot({
    paths: store.places.of(container.id),
    root: rootOf(context, container),
    rootMode,
    mounts,
    trash: store.trashOf(container.id),
  })
  launch.init.prepare(context.alterPreparation?.(act) ?? act, undo)
  launch.hasRoot = true
}
