import type { Engine } from '../engine/engine.js'
import type { ImageSummary } from '../engine/types.js'
import { badRequest } from './errors.js'
import type { Filters } from './query.js'

export const IMAGE_FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until']
export const PRUNE_FILTERS = ['dangling', 'label', 'label!', 'until']

/** A pattern of the shell (`*` and `?` without `/`) as a test. */
function glob(pattern: string): (text: string) => boolean {
  const text = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '[^/]*')
    .replace(/\?/g, '[^/]')
  try {
    const expression = new RegExp(`^${text}$`)
    return (name) => expression.test(name)
  } catch {
    throw badRequest(`invalid filter 'reference=[${pattern}]'`)
  }
}

function matchesReference(image: ImageSummary, pattern: string): boolean {
  const test = glob(pattern)
  const names = [...image.tags, ...image.digests]
  return names.some((name) => test(name) || test(name.replace(/(@sha256:[0-9a-f]+|:[^:/]+)$/, '')))
}

const UNITS: Readonly<Record<string, number>> = { h: 3600e3, m: 60e3, s: 1e3, ms: 1 }

/** A moment: seconds since the epoch, a date, or how long ago (`10m`, `1h30m`). Milliseconds. */
export function moment(text: string, now = Date.now()): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  if (/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)]
    return now - parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0)
  }
  const parsed = Date.parse(text)
  if (Number.isNaN(parsed)) throw badRequest(`invalid filter 'until=[${text}]'`)
  return parsed
}

/** What is younger than `until` and has not the labels is not pruned. */
export function pruneTest(filters: Filters): (it: { labels: Record<string, string>; createdAt: number }) => boolean {
  const untils = filters.get('until').map((it) => moment(it))
  return ({ labels, createdAt }) =>
    untils.every((until) => createdAt < until) &&
    filters.labels(labels) &&
    !(filters.has('label!') && filters.labels(labels, 'label!'))
}

export async function filterImages(images: ImageSummary[], filters: Filters, engine: Engine): Promise<ImageSummary[]> {
  const createdAt = async (name: string): Promise<number> =>
    Date.parse(String((await engine.inspectImage(name)).Created))
  const befores = await Promise.all(filters.get('before').map(createdAt))
  const sinces = await Promise.all(filters.get('since').map(createdAt))
  const untils = filters.get('until').map((it) => moment(it))
  const dangling = filters.flag('dangling')
  return images.filter(
    (image) =>
      befores.every((at) => image.createdAt < at) &&
      sinces.every((at) => image.createdAt > at) &&
      untils.every((at) => image.createdAt < at) &&
      (dangling === undefined || dangling === (image.tags.length === 0)) &&
      filters.labels(image.labels) &&
      (!filters.has('reference') || filters.get('reference').some((pattern) => matchesReference(image, pattern))),
  )
}
