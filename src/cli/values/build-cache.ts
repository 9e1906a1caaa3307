import type { CacheSource, CacheTarget } from '../../engine/build-types.js'
import { fields } from './build.js'

function attributes(text: string): Map<string, string> {
  const found = new Map(fields(text))
  if (!found.has('type')) throw new Error(`type required form> "${text}"`)
  return found
}

/** One `--cache-from`: an image, or `type=registry,ref=...`, `type=local,src=...[,tag=...|,digest=...]`. */
export function parseCacheFrom(text: string): CacheSource {
  if (!text.includes('=')) return { type: 'registry', ref: text }
  const of = attributes(text)
  const type = of.get('type')!
  if (type === 'registry') {
    const ref = of.get('ref')
    if (ref === undefined) throw new Error('ref required for registry cache importer')
    return { type, ref }
  }
  if (type !== 'local') throw new Error(`unknown cache importer: "${type}"`)
  const [src, tag, digest] = [of.get('src'), of.get('tag'), of.get('digest')]
  if (src === undefined) throw new Error('src required for local cache importer')
  return { type, src, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) }
}

const isTrue = (value: string | undefined) => value !== undefined && /^(1|t|true)$/i.test(value)

/** One `--cache-to`: `type=registry,ref=...`, `type=local,dest=...`, `type=inline`, each with `mode=max` and more. */
export function parseCacheTo(text: string): CacheTarget {
  const of = attributes(text.includes('=') ? text : `type=registry,ref=${text}`)
  const mode = of.get('mode') ?? 'min'
  if (mode !== 'min' && mode !== 'max') throw new Error(`invalid cache export mode "${mode}"`)
  const compression = of.get('compression') ?? 'gzip'
  if (compression !== 'gzip' && compression !== 'zstd') {
    throw new Error(`compression of a cache can be gzip or zstd, not "${compression}"`)
  }
  const common = {
    mode,
    compression,
    imageManifest: isTrue(of.get('image-manifest')),
    ignoreError: isTrue(of.get('ignore-error')),
  } as const
  const type = of.get('type')!
  if (type === 'inline') return { type, ...common }
  if (type === 'registry') {
    const ref = of.get('ref')
    if (ref === undefined) throw new Error('ref required for registry cache exporter')
    return { type, ref, ...common }
  }
  if (type !== 'local') throw new Error(`unknown cache exporter: "${type}"`)
  const [dest, tag] = [of.get('dest'), of.get('tag')]
  if (dest === undefined) throw new Error('dest is required for local cache exporter')
  return { type, dest, ...(tag !== undefined && { tag }), ...common }
}
