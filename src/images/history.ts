import type { ChainId, HistoryEntry, ImageConfig } from '../oci/index.js'

/** One step that made an image, newest first in a list. */
export interface ImageHistoryEntry {
  /** ID of the image for the newest, else `<missing>`: the images in between are not kept. */
  id: string
  /** Milliseconds since the epoch; 0 when it is not said. */
  createdAt: number
  createdBy: string
  comment: string
  /** Familiar names of the image, for the newest. */
  tags: string[]
  /** Bytes of the files in the step's layer; 0 for a step without one. */
  size: number
}

/** Docker's `history` of an image. @param sizeOf bytes of an unpacked layer */
export function historyOf(
  image: { id: string; config: ImageConfig; chainIds: readonly ChainId[] },
  tags: string[],
  sizeOf: (layer: ChainId) => number,
): ImageHistoryEntry[] {
  let layer = 0
  const entries = image.config.history.map((step) => {
    const chainId = step.empty_layer ? undefined : image.chainIds[layer++]
    return entryOf(step, chainId === undefined ? 0 : sizeOf(chainId))
  })
  // An image may tell nothing of its history: its layers are there all the same.
  for (; layer < image.chainIds.length; layer++) entries.push(entryOf({}, sizeOf(image.chainIds[layer]!)))
  entries.reverse()
  if (entries[0] !== undefined) entries[0] = { ...entries[0], id: image.id, tags }
  return entries
}

function entryOf(step: HistoryEntry, size: number): ImageHistoryEntry {
  return {
    id: '<missing>',
    createdAt: Date.parse(step.created ?? '') || 0,
    createdBy: step.created_by ?? '',
    comment: step.comment ?? '',
    tags: [],
    size,
  }
}
