import { isJubakoError } from '../errors/index.js'
import type { ImageId } from '../oci/index.js'
import type { Collected } from './collect.js'
import { summarize } from './list.js'
import type { Records } from './records.js'
import { removeImage } from './remove.js'
import type { Resolver } from './resolve.js'
import type { PrunedImages, PruneImagesOptions, RemovedImage, RemoveOptions } from './types.js'

export interface PruneParts {
  records: Records
  resolver: Resolver
  inUse: RemoveOptions['inUse']
  onRemoved: (line: RemovedImage, image: ImageId) => void
  collect: (signal?: AbortSignal) => Promise<Collected>
}

/** Removes images without a tag, or with `all` every image that no container uses, by Docker's rules. */
export async function pruneImages(parts: PruneParts, options: PruneImagesOptions): Promise<PrunedImages> {
  const { records, resolver, inUse } = parts
  const removed: RemovedImage[] = []
  const gone = new Map<string, readonly string[]>()
  for (const image of summarize(records)) {
    if (!options.all && image.tags.length > 0) continue
    if (options.filter !== undefined && !options.filter(image)) continue
    if ((inUse?.(image.id) ?? []).length > 0) continue
    const chainIds = records.image(image.id)?.chainIds ?? []
    const names = [...image.tags, ...image.digests]
    // With its last name an image goes; one without a name goes by its ID.
    for (const name of names.length > 0 ? names : [image.id]) {
      const found = resolver.find(name)
      if (found?.image.imageId !== image.id) continue
      try {
        const lines = await removeImage(records, found, name, inUse === undefined ? {} : { inUse })
        for (const line of lines) parts.onRemoved(line, image.id)
        removed.push(...lines)
      } catch (error) {
        // A container came to use it meanwhile.
        if (!isJubakoError(error, 'ERR_JUBAKO_CONFLICT')) throw error
      }
    }
    if (records.image(image.id) === undefined) gone.set(image.id, chainIds)
  }
  const { layers, reclaimed } = await parts.collect(options.signal)
  const lines = new Set<string>(layers)
  for (const chainIds of gone.values()) {
    for (const chainId of [...chainIds].reverse()) {
      if (lines.delete(chainId)) removed.push({ deleted: chainId })
    }
  }
  return { removed, reclaimed }
}
