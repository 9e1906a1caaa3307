import { isJubakoError } from '../errors/index.js'
import type { ResolvedImage } from '../images/index.js'
import type { Beginning, ContainerConfig, ContainerMount } from '../runtime/index.js'
import { holdMounts } from './container-mounts.js'
import type { EngineContext } from './context.js'
import { managedFiles } from './files.js'
import type { Launch } from './launch.js'
import { type MergeContext, mergeConfig } from './merge.js'
import { checkName, generateName } from './names.js'
import { networkOf } from './network-config.js'
import { beginRoot, rootMode } from './root.js'
import type { Snapshot } from './snapshot-types.js'
import { requireSnapshots, resolveSnapshot, snapshotKeys } from './snapshots.js'
import type { CreateOptions } from './types.js'

export interface Creation {
  id: string
  owned: boolean
  autoRemove: boolean
  /** The supervisor of a container that is started at once. */
  launch: Launch | undefined
  starts: boolean
}

export interface Created {
  config: ContainerConfig
  /** Of one that has no record yet: its first start writes it. */
  beginning: Beginning | undefined
}

interface Found {
  image: ResolvedImage
  reference: string
  mounts: ContainerMount[]
  network: MergeContext['network']
}

/** Makes a container on an image or a snapshot; what it needs and is not here is pulled. */
export async function createContainer(
  context: EngineContext,
  image: string | Snapshot,
  command: readonly string[],
  options: CreateOptions,
  kind: Creation,
): Promise<Created> {
  options.signal?.throwIfAborted()
  if (options.name !== undefined) checkName(options.name)
  const resolved =
    typeof image === 'string'
      ? await context.images.ensure(image, {
          policy: options.pull ?? 'missing',
          platform: options.platform,
          ...(options.onProgress !== undefined && { onProgress: options.onProgress }),
          signal: options.signal,
        })
      : resolveSnapshot(context, image.key)
  const network = await networkOf(context, options)
  const held = await holdMounts(context, kind.id, resolved, options)
  try {
    const reference = typeof image === 'string' ? image : image.image
    const found = { image: resolved, reference, mounts: held.mounts, network }
    // Nobody else needs to know of a container that is this process's own: it is recorded while it starts.
    const plain = kind.starts && kind.owned && typeof image === 'string' && held.mounts.every(isNoImage)
    return plain ? begin(context, command, options, kind, found) : await record(context, command, options, kind, found)
  } catch (error) {
    await held.giveBack()
    throw error
  }
}

const isNoImage = ({ type }: ContainerMount): boolean => type !== 'image'

function merged(
  context: EngineContext,
  command: readonly string[],
  options: CreateOptions,
  kind: Creation,
  { image, ...found }: Found,
  name: string,
): { config: ContainerConfig; beginning: Beginning } {
  const { id, owned, autoRemove } = kind
  const config = mergeConfig(image, command, options, { id, owned, autoRemove, name, root: context.root, ...found })
  context.cgroups.check(config.resources)
  return { config, beginning: { files: managedFiles(context, config), rootMode: rootMode(image) } }
}

/** Takes the name; all else is left to the supervisor, which begins as soon as the name is taken. */
async function begin(
  context: EngineContext,
  command: readonly string[],
  options: CreateOptions,
  kind: Creation,
  found: Found,
): Promise<Created> {
  const { names } = context.store
  const { id, autoRemove, launch } = kind
  const { image, mounts } = found
  const name = await withName(options.name, async (name) => {
    names.claim(name, id)
    return name
  })
  try {
    if (launch !== undefined) {
      beginRoot(context, { id, autoRemove, layers: image.layers }, rootMode(image), mounts, launch)
    }
    const created = merged(context, command, options, kind, found, name)
    options.onCreated?.(id)
    return created
  } catch (error) {
    names.release(name, kind.id)
    throw error
  }
}

async function record(
  context: EngineContext,
  command: readonly string[],
  options: CreateOptions,
  kind: Creation,
  found: Found,
): Promise<Created> {
  const { images, store } = context
  const config = await withName(options.name, async (name) => {
    const { config, beginning } = merged(context, command, options, kind, found, name)
    const create = () => {
      requireSnapshots(context, config)
      store.create(config, beginning)
    }
    if (snapshotKeys(context, config).length > 0) await images.snapshots.hold(create)
    else create()
    return config
  })
  context.events.container(config, 'create')
  options.onCreated?.(config.id)
  return { config, beginning: undefined }
}

/** With the given name, or with one made up that nobody has. */
async function withName<T>(given: string | undefined, use: (name: string) => Promise<T>): Promise<T> {
  if (given !== undefined) return use(given)
  for (let attempt = 0; ; attempt++) {
    try {
      return await use(generateName(attempt))
    } catch (error) {
      if (attempt >= 10 || !isJubakoError(error, 'ERR_JUBAKO_CONFLICT')) throw error
    }
  }
}
