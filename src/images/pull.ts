import { type ContentStore, throwIfAborted } from '../content/index.js'
import { isJubakoError, JubakoError } from '../errors/index.js'
import {
  type Descriptor,
  type Digest,
  documentKind,
  familiarName,
  familiarReference,
  formatPlatform,
  formatReference,
  hostPlatform,
  LIMITS,
  type Platform,
  parseJsonObject,
  parsePlatform,
  platformMatches,
  type Reference,
} from '../oci/index.js'
import type { RegistryClient, Repository } from '../registry/index.js'
import type { Arrival } from './arrival.js'
import { chooseImage } from './document.js'
import { contentOf, type Installer } from './install.js'
import { blob, type Lease } from './lease.js'
import { type LayerProgress, reportLine } from './progress.js'
import type { Records, ReferenceRecord } from './records.js'
import type { PullOptions, PullResult } from './types.js'

export interface PullParts {
  content: ContentStore
  records: Records
  installer: Installer
  registry: RegistryClient
  lease: Lease
  /** Whether an image has everything it needs to run. */
  isComplete: (record: ReferenceRecord) => boolean
  /** Records the name, and keeps what it named before. */
  assign: (record: ReferenceRecord) => Promise<void>
}

/** Brings an image from its registry into the store. `reference` has a tag or a digest, not both. */
export async function pullImage(parts: PullParts, reference: Reference, options: PullOptions): Promise<PullResult> {
  const pull = new Pull(parts, reference, options)
  try {
    return await pull.run()
  } catch (error) {
    throwIfAborted(options.signal)
    throw error
  }
}

class Pull {
  readonly #parts: PullParts
  readonly #reference: Reference
  readonly #options: PullOptions
  readonly #repository: Repository
  readonly #wanted: { platform: Platform; explicit: boolean }
  readonly #name: string

  constructor(parts: PullParts, reference: Reference, options: PullOptions) {
    this.#parts = parts
    this.#reference = reference
    this.#options = options
    this.#repository = parts.registry.repository(reference)
    this.#name = familiarReference(reference)
    this.#wanted = wantedPlatform(options.platform)
  }

  async run(): Promise<PullResult> {
    const { onProgress } = this.#options
    const tagOrDigest = this.#reference.digest ?? this.#reference.tag!
    reportLine(onProgress, `${tagOrDigest}: Pulling from ${this.#reference.path}`)
    const current = await this.#currentIfUpToDate(tagOrDigest)
    if (current !== undefined) {
      reportLine(onProgress, `Digest: ${current.repoDigest}`)
      reportLine(onProgress, `Status: Image is up to date for ${this.#name}`)
      return this.#result(current, false)
    }
    const target = await this.#fetchTarget(tagOrDigest)
    const record = await this.#install(target)
    const before = this.#parts.records.reference(record.reference)
    const updated = before?.imageId !== record.imageId || before.target.digest !== record.target.digest
    await this.#parts.assign(record)
    reportLine(onProgress, `Digest: ${record.target.digest}`)
    const status = updated ? 'Downloaded newer image' : 'Image is up to date'
    reportLine(onProgress, `Status: ${status} for ${this.#name}`)
    return this.#result(record, updated)
  }

  /** What is here, when the registry says that it still is what the name stands for: one request. */
  async #currentIfUpToDate(tagOrDigest: string): Promise<ReferenceRecord | undefined> {
    const { records, isComplete } = this.#parts
    const current = records.reference(formatReference(this.#reference))
    if (current?.repoDigest === undefined || !isComplete(current)) return undefined
    const image = records.image(current.imageId)
    if (image === undefined || !platformMatches(this.#wanted.platform, image.platform)) return undefined
    const digest = await this.#asked(this.#repository.headManifest(tagOrDigest, this.#options))
    return digest === current.repoDigest ? current : undefined
  }

  async #fetchTarget(tagOrDigest: string): Promise<Descriptor> {
    const { content, lease } = this.#parts
    const { bytes, mediaType, digest } = await this.#asked(this.#repository.getManifest(tagOrDigest, this.#options))
    await lease.protect([blob(digest)], this.#options.signal)
    await storeDocument(content, digest, bytes)
    return { mediaType: ownMediaType(bytes) ?? mediaType, digest, size: bytes.length }
  }

  async #install(target: Descriptor): Promise<ReferenceRecord> {
    const { content, installer, lease } = this.#parts
    const fetch = (descriptor: Descriptor) => this.#fetchDocument(descriptor)
    const image = await chooseImage(content, { fetch }, target, this.#wanted, this.#name)
    const { platform } = image.config
    if (this.#wanted.explicit && !platformMatches(this.#wanted.platform, platform)) {
      throw new JubakoError(
        'ERR_JUBAKO_NOT_FOUND',
        `image with reference ${this.#name} was found but its platform (${formatPlatform(platform)}) does not match the specified platform (${formatPlatform(this.#wanted.platform)})`,
      )
    }
    const { onProgress, signal } = this.#options
    const fetchLayer = (layer: Descriptor, progress: LayerProgress, stop: AbortSignal, arrival: Arrival) =>
      fetchBlob(content, this.#repository, layer, { progress, arrival, signal: stop })
    await installer.install(image, { what: this.#name, lease, fetchLayer, onProgress, signal })
    return {
      reference: formatReference(this.#reference),
      imageId: image.imageId,
      target,
      manifest: image.descriptor.digest,
      repoDigest: target.digest,
      content: contentOf(image),
      updatedAt: Date.now(),
    }
  }

  /** Manifests have an address of their own in a registry, configurations are blobs. */
  async #fetchDocument(descriptor: Descriptor): Promise<void> {
    const { content, lease } = this.#parts
    await lease.protect([blob(descriptor.digest)], this.#options.signal)
    if (content.has(descriptor.digest)) return
    if (documentKind(descriptor.mediaType) === undefined) {
      return fetchBlob(content, this.#repository, descriptor, { signal: this.#options.signal })
    }
    const { bytes } = await this.#repository.getManifest(descriptor.digest, this.#options)
    if (bytes.length !== descriptor.size) {
      throw new JubakoError(
        'ERR_JUBAKO_INTEGRITY',
        `${this.#name}: ${descriptor.digest} has another size than announced`,
      )
    }
    await storeDocument(content, descriptor.digest, bytes)
  }

  /** Puts a refusal into Docker's words; the registry's own are the cause. */
  async #asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      const { domain } = this.#reference
      if (isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) {
        throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `manifest for ${this.#name} not found: ${error.message}`, {
          cause: error,
          hint: 'check the name and the tag',
        })
      }
      if (isJubakoError(error, 'ERR_JUBAKO_UNAUTHORIZED')) {
        const name = familiarName(this.#reference)
        throw new JubakoError(
          'ERR_JUBAKO_UNAUTHORIZED',
          `pull access denied for ${name}, repository does not exist or may require login: ${error.message}`,
          { cause: error, hint: `check the name, or log in with "jubako login ${domain}"` },
        )
      }
      throw error
    }
  }

  #result(record: ReferenceRecord, updated: boolean): PullResult {
    return { reference: record.reference, digest: record.target.digest, imageId: record.imageId, updated }
  }
}

function wantedPlatform(platform: string | Platform | undefined): { platform: Platform; explicit: boolean } {
  if (platform === undefined) return { platform: hostPlatform(), explicit: false }
  return { platform: typeof platform === 'string' ? parsePlatform(platform) : platform, explicit: true }
}

/** A manifest says its type itself; registries that serve a plain Content-Type exist. */
function ownMediaType(bytes: Buffer): string | undefined {
  try {
    const { mediaType } = parseJsonObject(bytes, 'manifest', LIMITS.manifestBytes)
    return typeof mediaType === 'string' && documentKind(mediaType) !== undefined ? mediaType : undefined
  } catch {
    // Not JSON: reading it as a manifest says so, with the image's name.
    return undefined
  }
}

/** Keeps a document byte for byte. */
async function storeDocument(content: ContentStore, digest: Digest, bytes: Buffer): Promise<void> {
  const ingest = await content.ingest({ digest, size: bytes.length })
  if (ingest === undefined) return
  try {
    if (ingest.offset > 0) await ingest.restart()
    await ingest.write(bytes)
    await ingest.commit()
  } finally {
    await ingest.abort()
  }
}

/**
 * Brings a blob into the store, going on where this or another process stopped. What does not match its digest is
 * fetched once more from its beginning: an old part may have been damaged.
 */
export async function fetchBlob(
  content: ContentStore,
  repository: Repository,
  descriptor: Descriptor,
  options: { progress?: LayerProgress; arrival?: Arrival; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { progress, arrival, signal } = options
  const onWait = () => progress?.status('Waiting')
  const ingest = await content.ingest(descriptor, { signal, onWait })
  if (ingest === undefined) return
  arrival?.begin(ingest.path, ingest.written)
  const sink = {
    get offset() {
      return ingest.offset
    },
    write: async (chunk: Uint8Array) => {
      await ingest.write(chunk)
      arrival?.grow(ingest.written)
      progress?.count('Downloading', ingest.offset, descriptor.size)
    },
    restart: () => {
      arrival?.restart()
      return ingest.restart()
    },
  }
  try {
    for (let again = false; ; again = true) {
      await repository.downloadBlob(descriptor, sink, { signal })
      progress?.status('Verifying Checksum')
      await ingest.flush()
      arrival?.grow(ingest.written)
      try {
        await ingest.commit()
        progress?.status('Download complete')
        return
      } catch (error) {
        arrival?.restart()
        if (again || !isJubakoError(error, 'ERR_JUBAKO_INTEGRITY')) throw named(error, repository)
      }
    }
  } catch (error) {
    if (isJubakoError(error, 'ERR_JUBAKO_INTEGRITY', 'ERR_JUBAKO_LIMIT_EXCEEDED')) await ingest.abort()
    throw error
  } finally {
    await ingest.suspend()
  }
}

function named(error: unknown, repository: Repository): unknown {
  if (!isJubakoError(error, 'ERR_JUBAKO_INTEGRITY')) return error
  return new JubakoError(
    'ERR_JUBAKO_INTEGRITY',
    `registry ${repository.registry}: ${repository.name}: ${error.message}`,
    {
      cause: error,
      hint: 'the registry or a proxy on the way is broken, or the content was tampered with',
    },
  )
}
