import { readdirSync } from 'node:fs'
import { invalidArgument, JubakoError } from '../errors/index.js'
import type { LayerFiles, PackedLayer, ResolvedImage } from '../images/index.js'
import { formatReference, type ContainerConfig as ImageOptions, parseReference, withDefaultTag } from '../oci/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import { applyChanges } from './changes.js'
import type { EngineContext } from './context.js'
import { cgroupOf, freeze, thaw } from './freezing.js'
import { healthcheck } from './inspect.js'
import { defaultPath } from './merge.js'
import type { CommitOptions, CommittedImage } from './snapshot-types.js'
import { freezeContainer, ownSnapshots } from './snapshots.js'
import { layerPacker } from './unpacker.js'

/**
 * Makes an image of a container's files and settings. A stopped container's layer is frozen by a rename; of a running one
 * only that layer is copied, while it stands still.
 *
 * @returns also the container's new record
 */
export async function commitContainer(
  context: EngineContext,
  given: ContainerConfig,
  options: CommitOptions,
): Promise<{ image: CommittedImage; config: ContainerConfig }> {
  const { images, store, events } = context
  const reference = options.reference === undefined ? undefined : withDefaultTag(parseReference(options.reference))
  if (reference?.digest !== undefined) throw invalidArgument('refusing to create a tag with a digest reference')
  const base = images.resolve(given.imageId)
  const settings = applyChanges(settingsOf(given, base), options.changes ?? [])
  const running = store.isRunning(given.id)
  let config = given
  let copied: { files: LayerFiles; packed: PackedLayer } | undefined
  const draft = running ? images.layerScratch() : undefined
  try {
    if (draft !== undefined) {
      const packed = await standingStill(context, given, options.pause ?? true, () =>
        draft.copy(store.places.of(given.id).upper, options.pause === false, options.signal),
      )
      copied = packed.entries === 0 ? undefined : { files: { directory: draft.diff }, packed }
    } else if (readdirSync(store.places.of(given.id).upper).length > 0) {
      config = (await freezeContainer(context, given.id, { listed: false })).config
    }
    const layers = await Promise.all(
      ownSnapshots(context, config)
        .reverse()
        .map(async (key) => ({ files: { snapshot: key }, packed: await packSnapshot(context, key, options.signal) })),
    )
    const added = [...layers, ...(copied === undefined ? [] : [copied])].filter(({ packed }) => packed.entries > 0)
    const imageId = await images.compose({
      base: base.id,
      layers: added,
      config: (diffIds) => imageConfig(context, base, config, settings, diffIds, added.length, options),
      reference,
      signal: options.signal,
    })
    const name = reference === undefined ? null : formatReference(reference)
    events.container(config, 'commit', {
      comment: options.message ?? '',
      imageID: imageId,
      imageRef: name ?? '',
    })
    return { image: { imageId, reference: name }, config }
  } finally {
    await draft?.remove()
  }
}

async function standingStill<T>(
  context: EngineContext,
  config: ContainerConfig,
  wanted: boolean,
  act: () => Promise<T>,
): Promise<T> {
  const cgroup = cgroupOf(context, config)
  // One that is paused already stays so; one between two lives stands still by itself.
  if (!wanted || cgroup.state() !== 'thawed' || !(await freeze(cgroup))) return act()
  try {
    return await act()
  } finally {
    await thaw(cgroup)
  }
}

/** Hashed once: a snapshot does not change. Its data is on its way to the disk meanwhile. */
async function packSnapshot(
  { images }: EngineContext,
  key: string,
  signal: AbortSignal | undefined,
): Promise<PackedLayer> {
  const record = images.snapshots.read(key)
  if (record === undefined) {
    throw new JubakoError('ERR_JUBAKO_INTEGRITY', `the snapshot ${key} is not here any more`, { path: key })
  }
  const { diffId, size, entries, fileBytes } = record
  if (diffId !== undefined && size !== undefined && entries !== undefined && fileBytes !== undefined) {
    return { diffId, size, entries, fileBytes, digest: diffId, written: 0 }
  }
  const [packed] = await Promise.all([
    layerPacker.pack({ directory: images.snapshots.directory(key), signal }),
    images.sync(),
  ])
  images.snapshots.update({
    ...record,
    diffId: packed.diffId as NonNullable<typeof diffId>,
    size: packed.size,
    entries: packed.entries,
    fileBytes: packed.fileBytes,
  })
  return packed
}

/** Members of old images that say again, of one machine, what the specification has elsewhere. */
const dockersOwn = ['author', 'container', 'container_config', 'docker_version', 'id', 'parent']

const nameOf = (entry: string): string => entry.split('=', 1)[0]!

/** What the container was made with, in the image's words; what every container gets is no setting. */
function settingsOf(config: ContainerConfig, base: ResolvedImage): ImageOptions {
  const image = base.config.config
  const known = new Set((image.Env ?? []).map(nameOf))
  const given = [defaultPath, `HOSTNAME=${config.hostname}`, ...(config.tty ? ['TERM=xterm'] : [])]
  const env = config.env.filter((entry) => known.has(nameOf(entry)) || !given.includes(entry))
  const keys = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, {}]))
  return {
    ...image,
    ...(config.user !== '' && { User: config.user }),
    ...(config.exposedPorts.length > 0 && { ExposedPorts: keys(config.exposedPorts) }),
    ...(env.length > 0 && { Env: env }),
    ...(config.entrypoint.length > 0 && { Entrypoint: config.entrypoint }),
    ...(config.command.length > 0 && { Cmd: config.command }),
    ...(config.volumes.length > 0 && { Volumes: keys(config.volumes) }),
    ...(config.workdir !== '' && { WorkingDir: config.workdir }),
    ...(Object.keys(config.labels).length > 0 && { Labels: config.labels }),
    ...healthcheck(config),
    ...(config.stopSignal !== 'SIGTERM' && { StopSignal: config.stopSignal }),
  }
}

function imageConfig(
  context: EngineContext,
  base: ResolvedImage,
  container: ContainerConfig,
  settings: ImageOptions,
  diffIds: readonly string[],
  added: number,
  options: CommitOptions,
): Buffer {
  const before = JSON.parse(context.images.content.readSync(base.id, 2 ** 23).toString()) as Record<string, unknown>
  const created = new Date().toISOString()
  const step = {
    created,
    ...(options.author !== undefined && { author: options.author }),
    created_by: container.command.join(' '),
    ...(options.message !== undefined && { comment: options.message }),
  }
  // One step for each layer; the last one tells who made them.
  const { created_by } = step
  const earlier = Array.from({ length: Math.max(added - 1, 0) }, () => ({ created, created_by }))
  return Buffer.from(
    JSON.stringify({
      ...Object.fromEntries(Object.entries(before).filter(([key]) => !dockersOwn.includes(key))),
      created,
      ...(options.author !== undefined && { author: options.author }),
      config: settings,
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: [...base.config.history, ...earlier, added === 0 ? { ...step, empty_layer: true } : step],
    }),
  )
}
