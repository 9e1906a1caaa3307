import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ContentStore } from '../content/index.js'
import type { Digest } from '../oci/index.js'
import type { ByteRange } from './ranges.js'
import { sendFile } from './send-file.js'

/** Blobs by digest, however they are kept. */
export interface BlobReader {
  /** Bytes, or undefined when it is not here. */
  size(digest: Digest): number | undefined
  /** Sends a part of it, and ends the answer. */
  send(digest: Digest, range: ByteRange, response: ServerResponse): Promise<void>
}

export const storedBlobs = (store: ContentStore): BlobReader => ({
  size: (digest) => store.sizeOf(digest),
  send: (digest, range, response) => sendFile(store.pathOf(digest), range, response),
})

/** Blobs, and layers that are made of their files when somebody asks. */
export function blobsWithLayers(
  store: ContentStore,
  layers: { layerSize(digest: Digest): number | undefined; layerStream(digest: Digest): Readable },
): BlobReader {
  const stored = storedBlobs(store)
  return {
    size: (digest) => stored.size(digest) ?? layers.layerSize(digest),
    send: (digest, range, response) =>
      store.has(digest)
        ? stored.send(digest, range, response)
        : pipeline(cut(layers.layerStream(digest), range), response),
  }
}

/** The part of a stream that a range names. */
function cut(whole: Readable, { start, end }: ByteRange): Readable {
  let at = 0
  return Readable.from(
    (async function* () {
      for await (const chunk of whole as AsyncIterable<Buffer>) {
        const part = chunk.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at))
        at += chunk.length
        if (part.length > 0) yield part
        if (at > end) return
      }
    })(),
    { objectMode: false },
  )
}
