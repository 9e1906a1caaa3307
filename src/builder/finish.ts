import type { DiffId, ImageId } from '../oci/index.js'
import type { StageState } from './state.js'
import type { HashedLayer } from './types.js'
import type { Work } from './work.js'

/** Makes the image of a stage: waits for the digests of its layers, then takes them. */
export async function finishImage(
  state: StageState,
  options: { labels: Readonly<Record<string, string>>; tags: readonly string[] },
  work: Work,
): Promise<ImageId> {
  const config = { ...state.config }
  if (Object.keys(options.labels).length > 0) config.Labels = { ...config.Labels, ...options.labels }
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
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: state.history.map((entry) => ({ ...(entry.created === undefined && { created }), ...entry })),
  }
  work.signal.throwIfAborted()
  return work.parts.images.adopt({
    base: state.base,
    config: Buffer.from(JSON.stringify(document)),
    layers,
    tags: options.tags,
  })
}
