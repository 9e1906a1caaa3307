import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { syncFileSystem } from '../native/index.js'
import { type ChainId, chainIds, type DiffId, type ImageId } from '../oci/index.js'
import { INLINE_CACHE } from './exchange/config.js'
import { inlineRecords } from './exchange/export.js'
import type { BuildOptions } from './options.js'
import { keyOf, type StageState } from './state.js'
import { TreeSession } from './tree/session.js'
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
  await provide(state, chainIds(diffIds), work)
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

/**
 * A layer that an image took from the cache is that image's, in its place of that image's stack. Another stack that has
 * it too, as after `COPY --link`, gets a copy.
 */
async function provide(state: StageState, stack: readonly ChainId[], work: Work): Promise<void> {
  for (const [i, layer] of state.layers.entries()) {
    if (layer.kind !== 'step' || layer.record.chainId === undefined || layer.record.chainId === stack[i]) continue
    const own = join(work.cache.layers, layer.record.layer, 'diff')
    if (existsSync(own) || work.parts.images.layerPath(stack[i]!) !== undefined) continue
    const copy = work.scratch.directory('again')
    const source = work.cache.layerPath(layer.record)!
    const session = new TreeSession([{ layers: [source] }], { layers: [], upper: copy, work: '' })
    try {
      await session.act({ act: 'copy', sources: [''], target: '/', intoTarget: true })
    } finally {
      await session.close()
    }
    mkdirSync(join(work.cache.layers, layer.record.layer), { recursive: true, mode: 0o700 })
    try {
      renameSync(copy, own)
    } catch (error) {
      // Another build was faster.
      if (!/^(ENOTEMPTY|EEXIST)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
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
