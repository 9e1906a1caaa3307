import { isJubakoError, JubakoError } from '../errors/index.js'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestOf,
  isDigest,
  isTag,
  LIMITS,
  MANIFEST_ACCEPT,
  parseJsonObject,
  parseManifest,
} from '../oci/index.js'
import { discardBody, readAll } from './body.js'
import { downloadBlob } from './download.js'
import { networkError } from './failures.js'
import type { BlobSink, ManifestDocument } from './options.js'
import { nextPage } from './pages.js'
import type { Call, Session } from './session.js'
import type { Response } from './transport.js'
import { type BlobSource, type UploadOptions, uploadBlob } from './upload.js'

export interface CallOptions {
  signal?: AbortSignal | undefined
}

/** One repository of a registry (distribution-spec 1.1). */
export class Repository {
  readonly registry: string
  /** Without the registry's host, for example `library/debian`. */
  readonly name: string
  readonly #session: Session

  constructor(session: Session, name: string) {
    this.#session = session
    this.registry = session.registry
    this.name = name
  }

  /**
   * Asks which digest a tag has, without its document.
   *
   * @returns undefined when the registry does not say
   * @throws JubakoError `ERR_JUBAKO_NOT_FOUND` when there is no such tag or digest
   */
  async headManifest(tagOrDigest: string, options: CallOptions = {}): Promise<Digest | undefined> {
    const response = await this.#session.call({ ...this.#manifestCall(tagOrDigest, options), method: 'HEAD' })
    discardBody(response.body)
    const digest = response.headers['docker-content-digest']
    return isDigest(digest) ? digest : undefined
  }

  /**
   * Fetches a manifest or index and verifies it against the digest asked for, or the one the registry announced.
   *
   * @throws JubakoError `ERR_JUBAKO_INTEGRITY`, `ERR_JUBAKO_LIMIT_EXCEEDED`, `ERR_JUBAKO_NOT_FOUND`, ...
   */
  async getManifest(tagOrDigest: string, options: CallOptions = {}): Promise<ManifestDocument> {
    const call: Call = { ...this.#manifestCall(tagOrDigest, options), method: 'GET' }
    const { response, bytes } = await this.#read(call, LIMITS.manifestBytes)
    const announced = response.headers['docker-content-digest']
    const expected = isDigest(tagOrDigest) ? tagOrDigest : isDigest(announced) ? announced : undefined
    const digest = digestOf(bytes, expected === undefined ? 'sha256' : digestAlgorithm(expected))
    if (expected !== undefined && digest !== expected) {
      throw new JubakoError(
        'ERR_JUBAKO_INTEGRITY',
        `registry ${this.registry}: ${call.what}: content does not match its digest: expected ${expected}, got ${digest}`,
      )
    }
    return { bytes, mediaType: (response.headers['content-type'] ?? '').split(';', 1)[0]!.trim(), digest }
  }

  /** Brings a blob into a sink, resuming what it has. The caller verifies the digest. */
  downloadBlob(blob: Descriptor, sink: BlobSink, options: CallOptions = {}): Promise<void> {
    return downloadBlob(this.#session, { ...this.#blobCall(blob.digest, options), mirrors: true }, blob, sink)
  }

  /** Whether the repository has a blob. */
  async hasBlob(digest: Digest, options: CallOptions = {}): Promise<boolean> {
    return this.#exists(this.#blobCall(digest, options))
  }

  /**
   * Uploads a blob unless the repository has it.
   *
   * @returns what it took: nothing, a mount from the other repository, or sending the bytes
   */
  async pushBlob(
    blob: Descriptor,
    source: BlobSource,
    options: CallOptions & UploadOptions = {},
  ): Promise<'present' | 'mounted' | 'uploaded'> {
    const from = options.mountFrom === undefined ? '' : ` repository:${options.mountFrom}:pull`
    const scope = this.#scope('pull,push') + from
    const call = { ...this.#blobCall(blob.digest, options), scope }
    if (await this.#exists(call)) return 'present'
    return uploadBlob(this.#session, this.name, call, blob, source, options)
  }

  /**
   * Takes a blob over from another repository of the same registry, or finds it here already.
   *
   * @returns false when the registry does not do so: then nothing is here
   */
  async mountBlob(digest: Digest, from: string, options: CallOptions = {}): Promise<boolean> {
    const scope = `${this.#scope('pull,push')} repository:${from}:pull`
    const call = { ...this.#blobCall(digest, options), scope }
    if (await this.#exists(call)) return true
    const path = `/v2/${this.name}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`
    const response = await this.#session.call({
      ...call,
      path,
      method: 'POST',
      body: Buffer.alloc(0),
      accept: [201, 202],
    })
    discardBody(response.body)
    return response.status === 201
  }

  /** Whether the repository has a manifest or index, asked with the right to push. */
  hasManifest(digest: Digest, options: CallOptions = {}): Promise<boolean> {
    const call = this.#manifestCall(digest, options)
    return this.#exists({ ...call, mirrors: false, scope: this.#scope('pull,push') })
  }

  /** Stores a manifest or index under a tag or its digest. Its blobs must be there. */
  async putManifest(
    tagOrDigest: string,
    document: Pick<ManifestDocument, 'bytes' | 'mediaType'>,
    options: CallOptions = {},
  ): Promise<Digest> {
    const response = await this.#session.call({
      ...this.#manifestCall(tagOrDigest, options),
      mirrors: false,
      scope: this.#scope('pull,push'),
      method: 'PUT',
      headers: { 'content-type': document.mediaType },
      body: document.bytes,
      accept: [201, 202],
    })
    discardBody(response.body)
    return digestOf(document.bytes)
  }

  /** All tags, in the registry's order (distribution-spec, "Listing Tags"). */
  async *tags(options: CallOptions = {}): AsyncGenerator<string> {
    let path: string | URL | undefined = `/v2/${this.name}/tags/list?n=1000`
    while (path !== undefined) {
      const call: Call = { ...this.#call(options), path, what: `tags of ${this.name}`, method: 'GET', accept: [200] }
      const { response, bytes } = await this.#read(call, LIMITS.manifestBytes)
      yield* parseTags(bytes, `registry ${this.registry}: ${call.what}`)
      path = nextPage(response)
    }
  }

  /**
   * What refers to a manifest by its `subject`: signatures, software lists and other artifacts (distribution-spec,
   * "Listing Referrers"), also from registries that keep them under a tag.
   *
   * @param options.artifactType only those of this type
   */
  async referrers(digest: Digest, options: CallOptions & { artifactType?: string } = {}): Promise<Descriptor[]> {
    const { artifactType } = options
    const found: Descriptor[] = []
    let path: string | undefined = `/v2/${this.name}/referrers/${digest}`
    if (artifactType !== undefined) path += `?artifactType=${encodeURIComponent(artifactType)}`
    while (path !== undefined) {
      const what = `referrers of ${digest} in ${this.name}`
      const call: Call = { ...this.#call(options), path, what, method: 'GET', accept: [200, 404] }
      const { response, bytes } = await this.#read(call, LIMITS.manifestBytes)
      if (response.status === 404) {
        found.push(...(await this.#taggedReferrers(digest, options)))
        break
      }
      found.push(...readIndex(bytes, `registry ${this.registry}: ${what}`))
      path = nextPage(response)
    }
    // Registries may leave the choice to the client.
    return artifactType === undefined ? found : found.filter((one) => one.artifactType === artifactType)
  }

  /** The specification's way for registries without that listing: an index under a tag made of the digest. */
  async #taggedReferrers(digest: Digest, options: CallOptions): Promise<Descriptor[]> {
    try {
      const { bytes } = await this.getManifest(digest.replace(':', '-'), options)
      return readIndex(bytes, `registry ${this.registry}: referrers of ${digest}`)
    } catch (error) {
      if (isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) return []
      throw error
    }
  }

  /** Reads a whole answer, trying again when it breaks off. */
  async #read(call: Call, limit: number): Promise<{ response: Response; bytes: Buffer }> {
    const { retry, deadlines, registry } = this.#session
    for (let attempt = 1; ; attempt++) {
      const response = await this.#session.call(call)
      try {
        return { response, bytes: await readAll(response.body, limit, deadlines, `registry ${registry}: ${call.what}`) }
      } catch (error) {
        if (error instanceof JubakoError) throw error
        if (call.signal?.aborted) throw new JubakoError('ERR_JUBAKO_ABORTED', 'the operation was aborted')
        if (attempt >= retry.attempts) throw networkError(registry, call.what, error)
        await this.#session.pause(attempt, call.signal)
      }
    }
  }

  async #exists(call: Omit<Call, 'method' | 'accept'>): Promise<boolean> {
    const response = await this.#session.call({ ...call, method: 'HEAD', accept: [200, 404] })
    discardBody(response.body)
    return response.status === 200
  }

  #manifestCall(tagOrDigest: string, options: CallOptions): Omit<Call, 'method'> {
    if (!isDigest(tagOrDigest) && !isTag(tagOrDigest)) {
      throw new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', `not a tag or digest: ${tagOrDigest.slice(0, 160)}`)
    }
    return {
      ...this.#call(options),
      path: `/v2/${this.name}/manifests/${tagOrDigest}`,
      headers: { accept: MANIFEST_ACCEPT.join(', ') },
      what: `manifest ${tagOrDigest} of ${this.name}`,
      accept: [200],
      mirrors: true,
    }
  }

  #blobCall(digest: Digest, options: CallOptions): Omit<Call, 'method' | 'accept'> {
    return { ...this.#call(options), path: `/v2/${this.name}/blobs/${digest}`, what: `blob ${digest} of ${this.name}` }
  }

  #call(options: CallOptions): Pick<Call, 'scope' | 'signal'> {
    return { scope: this.#scope('pull'), signal: options.signal }
  }

  #scope(actions: string): string {
    return `repository:${this.name}:${actions}`
  }
}

function parseTags(bytes: Buffer, what: string): string[] {
  try {
    const { tags } = parseJsonObject(bytes, what, LIMITS.manifestBytes)
    return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string' && isTag(tag)) : []
  } catch (cause) {
    throw new JubakoError('ERR_JUBAKO_REGISTRY', `${what}: not valid JSON`, { cause })
  }
}

function readIndex(bytes: Buffer, what: string): Descriptor[] {
  const document = parseManifest(bytes, undefined, what)
  return document.kind === 'index' ? document.manifests : []
}
