import { closeSync, mkdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import type { ResolvedImage, SnapshotRecord } from '../images/index.js'
import { closeFd, lockRun, renameExchange } from '../native/index.js'
import type { ChainId } from '../oci/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { lockFiles } from './files-lock.js'
import type { Snapshot, SnapshotApi } from './snapshot-types.js'

/** Keys of the snapshots that a container lies on, its image's layers among them; topmost first. */
export function snapshotKeys(context: EngineContext, config: ContainerConfig): string[] {
  return config.layers.flatMap((path) => context.images.snapshots.keyOf(path) ?? [])
}

/** Keys of the snapshots between a container and its image, topmost first. */
export function ownSnapshots(context: EngineContext, config: ContainerConfig): string[] {
  const { layers, snapshots } = context.images
  let imageLayers = 0
  for (let id = config.chainId; id !== ''; id = layers.read(id as ChainId)?.parent ?? '') imageLayers++
  return config.layers.slice(0, config.layers.length - imageLayers).flatMap((path) => snapshots.keyOf(path) ?? [])
}

/** Keys that any container needs. */
export function snapshotsInUse(context: EngineContext): string[] {
  return context.store.all().flatMap((config) => snapshotKeys(context, config))
}

/** What keeps nobody's files alive any more is removed. */
export async function collectSnapshots(context: EngineContext): Promise<void> {
  const { images } = context
  await images.snapshots.collectAlone(images.layers, () => snapshotsInUse(context))
}

/**
 * Makes a stopped container's writable layer a snapshot, on which the container goes on with a new, empty one: its files
 * are the same at every moment. First an empty snapshot joins its layers, then the two directories change places. The
 * time does not depend on their size.
 *
 * @throws JubakoError ERR_JUBAKO_STATE when it runs
 */
export async function freezeContainer(
  context: EngineContext,
  id: string,
  options: { listed: boolean; name?: string | undefined },
): Promise<{ config: ContainerConfig; snapshot: SnapshotRecord }> {
  const { store, images } = context
  const paths = store.places.of(id)
  mkdirSync(paths.run, { recursive: true, mode: 0o700 })
  const lock = lockRun(paths.lock)
  if (lock === undefined) {
    throw new JubakoError('ERR_JUBAKO_STATE', `container ${id} is running: its files cannot be frozen`, {
      hint: 'stop it first',
    })
  }
  let files: number | undefined
  try {
    // Somebody may be copying to it.
    files = await lockFiles(paths)
    return await images.snapshots.hold(() => {
      const config = store.find(id)
      const snapshot = images.snapshots.make(
        {
          ...(options.name !== undefined && { name: options.name }),
          imageId: config.imageId as SnapshotRecord['imageId'],
          chainId: config.chainId as SnapshotRecord['chainId'],
          image: config.image,
          below: ownSnapshots(context, config),
          listed: options.listed,
        },
        paths.upper,
      )
      const frozen = { ...config, layers: [`snapshots/${snapshot.key}/diff`, ...config.layers] }
      store.save(frozen)
      renameExchange(paths.upper, images.snapshots.directory(snapshot.key))
      return { config: frozen, snapshot }
    })
  } finally {
    unlinkSync(paths.lock)
    try {
      rmdirSync(paths.run)
    } catch {
      // A killed supervisor left more in it.
    }
    closeFd(lock)
    if (files !== undefined) closeSync(files)
  }
}

/** @throws JubakoError ERR_JUBAKO_NOT_FOUND when one of them was removed meanwhile */
export function requireSnapshots(context: EngineContext, config: ContainerConfig): void {
  for (const key of snapshotKeys(context, config)) {
    if (context.images.snapshots.read(key) !== undefined) continue
    throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `No such snapshot: ${key}`, { path: key })
  }
}

export function publicSnapshot({ key, name, createdAt, image, imageId }: SnapshotRecord): Snapshot {
  return { key, name: name ?? null, createdAt, image, imageId }
}

/** The image of a snapshot with the snapshot on top. */
export function resolveSnapshot(context: EngineContext, key: string): ResolvedImage {
  const { snapshots } = context.images
  const record = snapshots.find(key)
  const image = context.images.resolve(record.imageId)
  const layers = [record.key, ...record.below].map((one) => snapshots.directory(one))
  return { ...image, layers: [...layers, ...image.layers] }
}

export function snapshotApi(context: EngineContext): SnapshotApi {
  const { snapshots } = context.images
  return {
    list: async () =>
      snapshots
        .all()
        .filter(({ listed }) => listed)
        .map(publicSnapshot),
    get: async (nameOrKey) => publicSnapshot(snapshots.find(nameOrKey)),
    remove: async (nameOrKey) => {
      const { name: _, ...record } = snapshots.find(nameOrKey)
      snapshots.update({ ...record, listed: false })
      await collectSnapshots(context)
    },
  }
}
