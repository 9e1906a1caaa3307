import { syncFileSystem } from '../native/index.js'
import { chainIds, type DiffId, type ImageId } from '../oci/index.js'
import { INLINE_CACHE } from './exchange/config.js'
import { inlineRecords } from './exchange/export.js'
import type { BuildOptions } from './options.js'
import { keyOf, type StageState } from './state.js'
import type { HashedLayer } from './types.js'
import type { Work } from './work.js'

/** Makes the image of a stage, and tells of it. */
export async function exportImage(state: StageState, options: BuildOptions, work: Work): Promise<ImageId> {
  const step = keyOf('vertex', 'export').slice(0, 32)
  const { now } = work.parts
  work.emit({ type: 'start', step, name: 'exporting to image', time: now() })
  const imageId = await finishImage(state, options, work)
  await settle(state, work)
  const say = (text: string) =>
    work.emit({ type: 'output', step, stream: 'stdout', data: Buffer.from(`${text}\n`), time: now() })
  say(`writing image ${imageId}`)
  for (const tag of options.tags ?? []) say(`naming to ${tag}`)
  work.emit({ type: 'end', step, time: now() })
  return imageId
}

/** Waits for the digests of the stage's layers, then takes them. */
async function finishImage(state: StageState, options: BuildOptions, work: Work): Promise<ImageId> {
  const { labels = {}, tags = [], annotations = {}, args = {}, cacheTo = [] } = options
  const config = { ...state.config }
  if (Object.keys(labels).length > 0) config.Labels = { ...config.Labels, ...labels }
  const layers = await Promise.all(
    state.layers.map(async (layer) => {
      const hashed = await layer.hashed
      const own = layer.kind === 'step' ? (hashed as HashedLayer) : undefined
      return {
        diffId: hashed.diffId as DiffId,
        size: own?.size ?? 0,
        entries: own?.entries ?? 0,
        fileBytes: own?.fileBytes ?? 0,
        directory: layer.kind === 'step' ? `${work.cache.layers}/${layer.record.layer}/diff` : undefined,
      }
    }),
  )
  const diffIds = layers.map(({ diffId }) => diffId)
  const inline = cacheTo.some(({ type }) => type === 'inline') || /^(1|true)$/i.test(args.BUILDKIT_INLINE_CACHE ?? '')
  if (inline) await Promise.all(work.hashing.values())
  const { os, architecture, variant } = state.platform
  const created =
    work.epoch === undefined
      ? (state.created ?? new Date(work.parts.now()).toISOString())
      : new Date(work.epoch * 1000).toISOString()
  const document = {
    architecture,
    ...(variant !== undefined && { variant }),
    os,
    created,
    ...(state.author !== undefined && { author: state.author }),
    config: { Env: config.Env ?? [`PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`], ...config },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: state.history.map((entry) => ({ ...(entry.created === undefined && { created }), ...entry })),
    ...(inline && { [INLINE_CACHE]: inlineRecords([...work.used.values()], diffIds) }),
  }
  work.signal.throwIfAborted()
  return work.parts.images.adopt({
    base: state.base,
    config: Buffer.from(JSON.stringify(document)),
    layers,
    tags,
    annotations,
  })
}

/** What the image holds now is on the disk: the records may say so. */
async function settle(state: StageState, work: Work): Promise<void> {
  if (work.fresh.length === 0) return
  const hashed = await Promise.all(state.layers.map((layer) => layer.hashed))
  const chain = chainIds(hashed.map(({ diffId }) => diffId as DiffId))
  const places = new Map(
    state.layers.flatMap((layer, i) => (layer.kind === 'step' ? [[layer.record.layer, i] as const] : [])),
  )
  for (const record of work.fresh) {
    const place = places.get(record.layer)
    if (place === undefined) continue
    record.chainId = chain[place]!
    record.hashed = hashed[place] as HashedLayer
  }
  await syncFileSystem(work.cache.steps)
  work.cache.settle(work.fresh)
}
