import { Readable, Transform } from 'node:stream'
import type { ContentStore } from '../content/index.js'
import type { Digest } from '../oci/index.js'

/** Inclusive, in bytes. */
export interface ByteRange {
  start: number
  end: number
}

/** Blobs by digest, however they are kept. */
export interface BlobReader {
  /** Bytes, or undefined when it is not here. */
  size(digest: Digest): number | undefined
  stream(digest: Digest, range?: ByteRange): Readable
}

export const storedBlobs = (store: ContentStore): BlobReader => ({
  size: (digest) => store.sizeOf(digest),
  stream: (digest, range) => store.createReadStream(digest, range),
})

/** Blobs, and layers that are made of their files when somebody asks. */
export function blobsWithLayers(
  store: ContentStore,
  layers: { layerSize(digest: Digest): number | undefined; layerStream(digest: Digest): Readable },
): BlobReader {
  return {
    size: (digest) => store.sizeOf(digest) ?? layers.layerSize(digest),
    stream: (digest, range) => {
      if (store.has(digest)) return store.createReadStream(digest, range)
      const whole = layers.layerStream(digest)
      return range === undefined ? whole : cut(whole, range)
    },
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

/** Passes bytes on and tells how many went through. */
export const counted = (tell: (bytes: number) => void): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      tell(chunk.length)
      done(null, chunk)
    },
  })
