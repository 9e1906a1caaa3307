import { invalidArgument } from '../errors/index.js'
import type { ResolvedImage } from '../images/index.js'
import type { ContainerMount, ImageMount } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { type MountDraft, mergeMounts } from './merge-mounts.js'
import type { CreateOptions } from './types.js'
import { checkVolumeDriver, makeVolume, releaseVolumes } from './volumes.js'

/** Words that `--volumes-from` takes after the container, as docker has them. */
function parseVolumesFrom(text: string): { name: string; readonly: boolean | undefined } {
  const colon = text.indexOf(':')
  const name = colon < 0 ? text : text.slice(0, colon)
  if (name === '') throw invalidArgument(`volumes-from specification cannot be an empty string`)
  const words = colon < 0 ? [] : text.slice(colon + 1).split(',')
  for (const word of words) {
    if (!['ro', 'rw', 'z', 'Z'].includes(word)) throw invalidArgument(`invalid mode: ${text.slice(colon + 1)}`)
  }
  return { name, readonly: words.includes('ro') ? true : words.includes('rw') ? false : undefined }
}

/** The mounts of other containers; a later container replaces what an earlier one has on the same target. */
function inherited(context: EngineContext, from: readonly string[]): Map<string, ContainerMount> {
  const mounts = new Map<string, ContainerMount>()
  for (const text of from) {
    const { name, readonly } = parseVolumesFrom(text)
    for (const mount of context.store.find(name).mounts) {
      if (mount.type !== 'bind' && mount.type !== 'volume') continue
      const mode = mount.origin?.mode ?? ''
      const copy: ContainerMount = {
        ...mount,
        readonly: mount.readonly || (readonly ?? false),
        ...(mount.type === 'volume' && { copy: false }),
        origin: { mode, inherited: true },
      }
      mounts.set(mount.target, copy)
    }
  }
  return mounts
}

function imageMount(context: EngineContext, draft: Extract<MountDraft, { type: 'image' }>): ImageMount {
  const { option, target } = draft
  if (!option.source) throw invalidArgument(`invalid mount config for type "image": field Source must not be empty`)
  const image = context.images.resolve(option.source)
  const { root } = context
  return {
    type: 'image',
    source: option.source,
    imageId: image.id,
    chainId: image.chainIds.at(-1) ?? '',
    layers: image.layers.map((path) => (path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path)),
    target,
    readonly: option.readonly ?? false,
    subpath: option.subpath ?? '',
  }
}

/** A container's mounts, with its volumes made and held. */
export interface HeldMounts {
  mounts: ContainerMount[]
  /** Gives them back when the container is not made after all. */
  giveBack(): Promise<void>
}

/**
 * Decides the mounts of a new container: those it names, those of other containers, the volumes its image asks for.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT, ERR_JUBAKO_NOT_FOUND
 */
export async function holdMounts(
  context: EngineContext,
  id: string,
  image: ResolvedImage,
  options: CreateOptions,
): Promise<HeldMounts> {
  const theirs = inherited(context, options.volumesFrom ?? [])
  const imageVolumes = Object.keys(image.config.config.Volumes ?? {})
  const drafts = mergeMounts(options.mounts ?? [], imageVolumes)
  const named = new Set(
    (options.mounts ?? []).length === 0 ? [] : mergeMounts(options.mounts ?? []).map((it) => it.target),
  )
  const mounts: ContainerMount[] = []
  for (const [target, mount] of theirs) {
    if (named.has(target)) continue
    if (mount.type === 'volume' && !context.volumes.acquire(mount.name, id)) context.volumes.get(mount.name)
    mounts.push(mount)
  }
  const wanted = drafts.filter(({ target }) => named.has(target) || !theirs.has(target))
  for (const draft of wanted) {
    if (draft.type !== 'volume') continue
    checkVolumeDriver(draft.name ?? '', draft.option.driver ?? options.volumeDriver)
  }
  const giveBack = () => releaseVolumes(context, id, mounts, true)
  try {
    for (const draft of wanted) mounts.push(holdOne(context, id, draft))
  } catch (error) {
    await giveBack()
    throw error
  }
  return { mounts, giveBack }
}

function holdOne(context: EngineContext, id: string, draft: MountDraft): ContainerMount {
  if (draft.type === 'image') return imageMount(context, draft)
  if (draft.type !== 'volume') return draft
  const { option, name, ...mount } = draft
  for (;;) {
    const { record } = makeVolume(context, {
      ...(name !== undefined && { name }),
      ...(option.labels !== undefined && { labels: option.labels }),
      ...(option.driverOptions !== undefined && { options: option.driverOptions }),
    })
    // Removed by somebody in this moment: once more.
    if (context.volumes.acquire(record.name, id)) return { ...mount, name: record.name }
  }
}
