import { createHash } from 'node:crypto'
import {
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { CachePlace, CacheSource, CacheTarget } from '../builder/index.js'
import { invalidArgument, isJubakoError, JubakoError } from '../errors/index.js'
import type { ImageStore } from '../images/index.js'
import { type Digest, digestOf, isDigest, parseReference, withDefaultTag } from '../oci/index.js'

const REF_NAME = 'org.opencontainers.image.ref.name'

/** Opens what `--cache-from` and `--cache-to` name. */
export function cachePlace(
  images: ImageStore,
  place: CacheSource | Exclude<CacheTarget, { type: 'inline' }>,
): CachePlace {
  if (place.type === 'registry') return registryPlace(images, place.ref)
  if ('src' in place) return layoutPlace(place.src, place.tag ?? 'latest', place.digest)
  return layoutPlace(place.dest, place.tag ?? 'latest', undefined)
}

function registryPlace(images: ImageStore, ref: string): CachePlace {
  const reference = withDefaultTag(parseReference(ref))
  const repository = images.registry.repository(reference)
  const name = reference.digest ?? reference.tag!
  return {
    name: ref,
    document: async (digest, signal) => {
      try {
        return (await repository.getManifest(digest ?? name, { signal })).bytes
      } catch (error) {
        if (isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) return undefined
        throw error
      }
    },
    has: ({ digest }, signal) => repository.hasBlob(digest, { signal }),
    fetch: async (blob, path, signal) => {
      const file = await open(path, 'wx', 0o600)
      let at = 0
      let hash = createHash('sha256')
      const sink = {
        get offset() {
          return at
        },
        write: async (chunk: Uint8Array) => {
          await file.write(chunk, 0, chunk.length, at)
          hash.update(chunk)
          at += chunk.length
        },
        restart: async () => {
          at = 0
          hash = createHash('sha256')
          await file.truncate(0)
        },
      }
      try {
        await repository.downloadBlob(blob, sink, { signal })
      } finally {
        await file.close()
      }
      verify(blob.digest, hash.digest('hex'), ref)
    },
    store: async (blob, path, signal) => {
      await repository.pushBlob(blob, (start, end) => createReadStream(path, { start, end: end - 1 }), { signal })
    },
    publish: async (bytes, mediaType, signal) => {
      await repository.putManifest(name, { bytes, mediaType }, { signal })
    },
  }
}

function verify(digest: Digest, hex: string, where: string): void {
  if (digest === `sha256:${hex}`) return
  throw new JubakoError(
    'ERR_JUBAKO_INTEGRITY',
    `${where}: content does not match its digest: ${digest}, got sha256:${hex}`,
  )
}

interface LayoutIndex {
  schemaVersion: 2
  manifests: { mediaType: string; digest: string; size: number; annotations?: Record<string, string> }[]
}

/** An OCI image layout (image-spec, "Image Layout"). */
function layoutPlace(folder: string, tag: string, digest: string | undefined): CachePlace {
  if (digest !== undefined && !isDigest(digest)) throw invalidArgument(`${digest} is no digest`)
  const blobPath = (of: Digest) => join(folder, 'blobs', ...of.split(':'))
  const indexPath = join(folder, 'index.json')
  const index = (): LayoutIndex =>
    existsSync(indexPath)
      ? (JSON.parse(readFileSync(indexPath, 'utf8')) as LayoutIndex)
      : { schemaVersion: 2, manifests: [] }
  const put = (of: Digest, write: (temporary: string) => void) => {
    mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true })
    const temporary = `${blobPath(of)}.${process.pid}.tmp`
    write(temporary)
    renameSync(temporary, blobPath(of))
  }
  return {
    name: folder,
    document: async (wanted) => {
      const own = index().manifests.find(({ annotations }) => annotations?.[REF_NAME] === tag)?.digest
      const found = wanted ?? digest ?? own
      if (found === undefined || !isDigest(found) || !existsSync(blobPath(found))) return undefined
      const bytes = readFileSync(blobPath(found))
      verify(found, createHash('sha256').update(bytes).digest('hex'), folder)
      return bytes
    },
    has: async (blob) => statSync(blobPath(blob.digest), { throwIfNoEntry: false })?.size === blob.size,
    fetch: async (blob, path, signal) => {
      if (!isDigest(blob.digest)) throw invalidArgument(`${blob.digest} is no digest`)
      const hash = createHash('sha256')
      const counted = async function* (source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          hash.update(chunk)
          yield chunk
        }
      }
      await pipeline(
        createReadStream(blobPath(blob.digest)),
        counted,
        createWriteStream(path, { flags: 'wx', mode: 0o600 }),
        {
          signal,
        },
      )
      verify(blob.digest, hash.digest('hex'), folder)
    },
    store: async (blob, path) => put(blob.digest, (temporary) => copyFileSync(path, temporary)),
    publish: async (bytes, mediaType) => {
      const of = digestOf(bytes)
      put(of, (temporary) => writeFileSync(temporary, bytes))
      writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
      const others = index().manifests.filter(({ annotations }) => annotations?.[REF_NAME] !== tag)
      const entry = { mediaType, digest: of, size: bytes.length, annotations: { [REF_NAME]: tag } }
      const next: LayoutIndex = { schemaVersion: 2, manifests: [...others, entry] }
      writeFileSync(`${indexPath}.tmp`, JSON.stringify(next))
      renameSync(`${indexPath}.tmp`, indexPath)
    },
  }
}
