import { type ContentStore, throwIfAborted } from '../content/index.js'
import { isJubakoError, JubakoError } from '../errors/index.js'
import {
  type Descriptor,
  type Digest,
  familiarName,
  familiarReference,
  formatReference,
  isImageConfig,
  LIMITS,
  type Manifest,
  parseImageConfig,
  parseReference,
  type Reference,
  repositoryName,
} from '../oci/index.js'
import type { RegistryClient, Repository } from '../registry/index.js'
import { blob, type Lease } from './lease.js'
import { type Chosen, chooseDocuments } from './outgoing.js'
import { LayerProgress, reportLine } from './progress.js'
import type { Records, ReferenceRecord } from './records.js'
import { Semaphore } from './semaphore.js'
import type { PushedImage, PushOptions } from './types.js'

export interface PushParts {
  content: ContentStore
  records: Records
  registry: RegistryClient
  lease: Lease
  /** Makes what a name needs and is not here. */
  complete: (record: ReferenceRecord) => Promise<ReferenceRecord>
}

/** As Docker's default. */
const UPLOADS_AT_ONCE = 5

/**
 * Sends an image, or every tag of a repository, to its registry. Blobs that the repository has are not sent; those that
 * another repository of the same registry is known to have are mounted from there.
 *
 * @param reference with a tag, or without one for every tag
 * @throws JubakoError in Docker's words where it has some; names registry, repository and what failed
 */
export async function pushImages(parts: PushParts, reference: Reference, options: PushOptions): Promise<PushedImage[]> {
  const records: ReferenceRecord[] = []
  for (const record of recordsOf(parts.records, reference, options.allTags ?? false)) {
    records.push(await parts.complete(record))
  }
  await parts.lease.protect(
    records.flatMap((record) => record.content.map(blob)),
    options.signal,
  )
  const push = new Push(parts, reference, options)
  const pushed: PushedImage[] = []
  try {
    for (const record of records) pushed.push(await push.run(record))
  } catch (error) {
    throwIfAborted(options.signal)
    throw error
  }
  return pushed
}

/** Names to push. @throws JubakoError ERR_JUBAKO_NOT_FOUND */
export function recordsOf(records: Records, reference: Reference, allTags: boolean): ReferenceRecord[] {
  const repository = repositoryName(reference)
  const tagged = records
    .references()
    .filter((record) => {
      const name = parseReference(record.reference)
      return name.tag !== undefined && repositoryName(name) === repository
    })
    .sort((a, b) => (a.reference < b.reference ? -1 : 1))
  const wanted = formatReference(reference)
  const found = allTags ? tagged : tagged.filter((record) => record.reference === wanted)
  if (found.length > 0) return found
  const message =
    tagged.length > 0
      ? `tag does not exist: ${familiarReference(reference)}`
      : `An image does not exist locally with the tag: ${familiarName(reference)}`
  throw new JubakoError('ERR_JUBAKO_NOT_FOUND', message, { hint: 'name the image so first, with tag' })
}

class Push {
  readonly #parts: PushParts
  readonly #options: PushOptions
  readonly #repository: Repository
  readonly #reference: Reference
  readonly #uploads = new Semaphore(UPLOADS_AT_ONCE)
  /** What the repository has by now, by digest. */
  readonly #done = new Map<Digest, Promise<void>>()

  constructor(parts: PushParts, reference: Reference, options: PushOptions) {
    this.#parts = parts
    this.#options = options
    this.#reference = reference
    this.#repository = parts.registry.repository(reference)
  }

  async run(record: ReferenceRecord): Promise<PushedImage> {
    const { onProgress, signal } = this.#options
    const reference = parseReference(record.reference)
    const chosen = await chooseDocuments(this.#parts.content, record, this.#options.platform, ({ digest }) =>
      this.#asked(this.#repository.hasManifest(digest, { signal })),
    )
    await this.#parts.lease.protect(
      chosen.documents.map(({ descriptor }) => blob(descriptor.digest)),
      signal,
    )
    for (const { descriptor, document } of chosen.documents) {
      if (document.kind === 'manifest') await this.#asked(this.#pushContents(document))
      // The last one is the target: it goes under the tag.
      if (descriptor.digest !== chosen.target.digest) await this.#putDocument(descriptor, descriptor.digest)
    }
    await this.#putDocument(chosen.target, reference.tag!)
    const { digest, size } = chosen.target
    reportLine(onProgress, `${reference.tag}: digest: ${digest} size: ${size}`)
    if (chosen.note !== undefined) reportLine(onProgress, chosen.note)
    await this.#remember(record, chosen)
    return { reference: record.reference, digest, size }
  }

  /** Configuration and layers. */
  async #pushContents(manifest: Manifest): Promise<void> {
    const ids = await this.#shownIds(manifest)
    const layers = manifest.layers.map((descriptor, i) => ({
      descriptor,
      progress: new LayerProgress(ids[i] ?? descriptor.digest, this.#options.onProgress),
    }))
    // Docker names the topmost layer first.
    for (const { progress } of [...layers].reverse()) progress.status('Preparing')
    const stop = new AbortController()
    const { signal } = this.#options
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
    const work = [
      ...layers.map(({ descriptor, progress }) => this.#pushBlob(descriptor, progress, either)),
      this.#pushBlob(manifest.config, undefined, either),
    ]
    const outcomes = await Promise.allSettled(
      work.map((one) =>
        one.catch((error: unknown) => {
          stop.abort(error)
          throw error
        }),
      ),
    )
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    if (failures.length > 0) throw failures.find((e) => !isJubakoError(e, 'ERR_JUBAKO_ABORTED')) ?? failures[0]
  }

  /** Docker shows layers of a push by diffID. */
  async #shownIds(manifest: Manifest): Promise<readonly Digest[]> {
    if (!isImageConfig(manifest.config.mediaType)) return []
    const bytes = await this.#parts.content.read(manifest.config.digest, LIMITS.configBytes)
    return parseImageConfig(bytes, `configuration ${manifest.config.digest}`).diffIds
  }

  #pushBlob(descriptor: Descriptor, progress: LayerProgress | undefined, signal: AbortSignal): Promise<void> {
    const known = this.#done.get(descriptor.digest)
    if (known !== undefined) return known.then(() => progress?.status('Layer already exists'))
    const work = this.#uploads.run(
      () => this.#upload(descriptor, progress, signal),
      () => progress?.status('Waiting'),
    )
    this.#done.set(descriptor.digest, work)
    return work
  }

  async #upload(descriptor: Descriptor, progress: LayerProgress | undefined, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    const { digest, size } = descriptor
    const { content } = this.#parts
    const mountFrom = this.#otherRepositoryWith(digest)
    const outcome = await this.#repository.pushBlob(
      descriptor,
      (start, end) => {
        if (content.sizeOf(digest) !== size) throw missing(digest)
        return content.createReadStream(digest, { start, end: end - 1 })
      },
      { signal, mountFrom, onProgress: (sent) => progress?.count('Pushing', sent, size) },
    )
    const words = { present: 'Layer already exists', mounted: `Mounted from ${mountFrom}`, uploaded: 'Pushed' }
    progress?.status(words[outcome])
  }

  /** A repository of the same registry that an image with this blob came from or went to. */
  #otherRepositoryWith(digest: Digest): string | undefined {
    const { domain, path } = this.#reference
    for (const record of this.#parts.records.references()) {
      if (record.repoDigest === undefined || !record.content.includes(digest)) continue
      const name = parseReference(record.reference)
      if (name.domain === domain && name.path !== path) return name.path
    }
    return undefined
  }

  async #putDocument(descriptor: Descriptor, tagOrDigest: string): Promise<void> {
    const bytes = await this.#parts.content.read(descriptor.digest, LIMITS.manifestBytes)
    const { mediaType } = descriptor
    await this.#asked(this.#repository.putManifest(tagOrDigest, { bytes, mediaType }, { signal: this.#options.signal }))
  }

  /** From now on the name is known by its digest in the registry. */
  async #remember(record: ReferenceRecord, { target, whole }: Chosen): Promise<void> {
    const { records } = this.#parts
    if (whole) {
      const now = records.reference(record.reference)
      if (now?.target.digest !== record.target.digest || now.repoDigest === target.digest) return
      await records.writeReference({ ...now, repoDigest: target.digest })
      return
    }
    const { domain, path } = this.#reference
    const reference = formatReference({ domain, path, digest: target.digest })
    await records.writeReference({ ...record, reference, target, repoDigest: target.digest })
  }

  /** Puts a refusal into Docker's words; the registry's own are the cause. */
  async #asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      if (!isJubakoError(error, 'ERR_JUBAKO_UNAUTHORIZED')) throw error
      const name = familiarName(this.#reference)
      throw new JubakoError(
        'ERR_JUBAKO_UNAUTHORIZED',
        `push access denied for ${name}: requested access to the resource is denied: ${error.message}`,
        { cause: error, hint: `log in with "jubako login ${this.#reference.domain}"` },
      )
    }
  }
}

function missing(digest: Digest): JubakoError {
  return new JubakoError('ERR_JUBAKO_NOT_FOUND', `the compressed content ${digest} is not here any more`, {
    path: digest,
    hint: 'pull the image again',
  })
}
