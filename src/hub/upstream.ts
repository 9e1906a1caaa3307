import { EventEmitter, once } from 'node:events'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { ContentStore, Ingest } from '../content/index.js'
import { invalidArgument, isJubakoError } from '../errors/index.js'
import { type Descriptor, type Digest, isDigest, isTag } from '../oci/index.js'
import { RegistryClient, type Repository } from '../registry/index.js'
import type { Documents } from './documents.js'
import { HubError } from './errors.js'
import { parseDocument, storeBytes } from './manifests.js'
import type { Metrics } from './metrics.js'
import type { ByteRange } from './ranges.js'
import { byName, type Repositories, type StoredManifest } from './repositories.js'

/** How long a tag is believed without asking upstream. */
const FRESH_MS = 30_000
const CHUNK = 2 ** 18

export interface ProxyParts {
  store: ContentStore
  repositories: Repositories
  documents: Documents
  metrics: Metrics
}

/** A blob that comes from upstream while it is sent on. */
export interface ComingBlob {
  size: number
  stream(range?: ByteRange): Readable
}

/** Another registry behind this one: what is asked for is kept, and served also when the other one is down. */
export class UpstreamCache {
  readonly #client: RegistryClient
  readonly #domain: string
  readonly #checked = new Map<string, number>()
  readonly #downloads = new Map<Digest, Download>()

  /** @throws JubakoError `ERR_JUBAKO_INVALID_ARGUMENT` for what is no URL of a registry */
  constructor(
    upstream: string,
    private readonly parts: ProxyParts,
  ) {
    const url = URL.canParse(upstream) ? new URL(upstream) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/') {
      throw invalidArgument(`invalid registry to cache: ${upstream} (https://host[:port])`)
    }
    this.#domain = ['docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(url.hostname)
      ? 'docker.io'
      : url.host
    const { username, password } = url
    this.#client = new RegistryClient({
      ...(username !== '' && {
        credentials: () => ({ username: decodeURIComponent(username), password: decodeURIComponent(password) }),
      }),
      insecure: url.protocol === 'http:' ? [url.host] : [],
      retry: { attempts: 2 },
      deadlines: { connectMs: 5000, headersMs: 20_000 },
    })
  }

  #upstream(name: string): Repository {
    return this.#client.repository({ domain: this.#domain, path: name })
  }

  /** Sees to it that a manifest is here, as new as upstream has it if upstream answers. */
  async manifest(name: string, reference: string): Promise<void> {
    const { repositories, store, metrics } = this.parts
    const known = isDigest(reference) ? reference : await repositories.tag(name, reference)
    const here = known !== undefined && (await repositories.manifest(name, known)) !== undefined && store.has(known)
    const key = `${name}:${reference}`
    if (here && (isDigest(reference) || Date.now() - (this.#checked.get(key) ?? 0) < FRESH_MS)) {
      metrics.proxyHits++
      return
    }
    try {
      if (here && (await this.#upstream(name).headManifest(reference)) === known) metrics.proxyHits++
      else await this.#fetch(name, reference)
      this.#fresh(key)
    } catch (error) {
      if (isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND', 'ERR_JUBAKO_UNAUTHORIZED')) {
        if (isTag(reference) && known !== undefined) await repositories.removeTag(name, reference)
        throw new HubError('MANIFEST_UNKNOWN', 'manifest unknown')
      }
      if (here) metrics.proxyHits++
      else throw unreachable(error)
    }
  }

  #fresh(key: string): void {
    if (this.#checked.size > 10_000) this.#checked.clear()
    this.#checked.set(key, Date.now())
  }

  async #fetch(name: string, reference: string): Promise<void> {
    const { repositories, store, metrics } = this.parts
    const { bytes, mediaType, digest } = await this.#upstream(name).getManifest(reference)
    metrics.proxyMisses++
    const { subject, artifactType } = parseDocument(bytes)
    await repositories.addManifest(name, {
      digest,
      mediaType,
      size: bytes.length,
      ...(isDigest(subject?.digest) && { subject: subject.digest }),
      ...(typeof artifactType === 'string' && { artifactType }),
    })
    await storeBytes(store, digest, bytes)
    if (isTag(reference)) await repositories.setTag(name, reference, digest)
  }

  /** A blob that a manifest here names, on its way from upstream. */
  async blob(name: string, digest: Digest): Promise<ComingBlob | undefined> {
    const running = this.#downloads.get(digest)
    if (running !== undefined) return running
    const descriptor = await this.#descriptor(name, digest)
    if (descriptor === undefined) return undefined
    const { store, repositories, metrics } = this.parts
    await repositories.addBlob(name, digest)
    const ingest = await store.ingest(descriptor)
    if (ingest === undefined) {
      metrics.proxyHits++
      return { size: descriptor.size, stream: (range) => store.createReadStream(digest, range) }
    }
    metrics.proxyMisses++
    const download = new Download(this.#upstream(name), descriptor, ingest)
    this.#downloads.set(digest, download)
    void download.run().finally(() => this.#downloads.delete(digest))
    return download
  }

  /** Sizes are in manifests only. */
  async #descriptor(name: string, digest: Digest): Promise<Descriptor | undefined> {
    for (const manifest of await this.parts.repositories.manifests(name)) {
      const { config, layers, manifests } = parseDocument(await this.parts.documents.read(manifest.digest))
      for (const it of [config, layers, manifests].flat() as (Partial<Descriptor> | undefined)[]) {
        if (it?.digest === digest && typeof it.size === 'number') {
          return { mediaType: 'application/octet-stream', digest, size: it.size }
        }
      }
    }
    return undefined
  }

  /** Undefined when upstream does not answer: then it is what is here. */
  async tags(name: string): Promise<string[] | undefined> {
    const found: string[] = []
    try {
      for await (const tag of this.#upstream(name).tags()) found.push(tag)
      return found.sort(byName)
    } catch {
      return undefined
    }
  }

  /** As {@link tags}. */
  async referrers(name: string, subject: Digest): Promise<StoredManifest[] | undefined> {
    try {
      return (await this.#upstream(name).referrers(subject)) as StoredManifest[]
    } catch {
      return undefined
    }
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

const unreachable = (cause: unknown): HubError =>
  new HubError('UNSUPPORTED', `upstream does not answer: ${(cause as Error).message}`, 502)

/** One blob that is being fetched; any number of readers follow it. */
class Download implements ComingBlob {
  readonly size: number
  readonly #news = new EventEmitter().setMaxListeners(0)
  #file: Promise<Awaited<ReturnType<typeof open>>>
  #arrived = 0
  #state: 'coming' | 'here' | Error = 'coming'
  #readers = 0

  constructor(
    private readonly upstream: Repository,
    private readonly blob: Descriptor,
    private readonly ingest: Ingest,
  ) {
    this.size = blob.size
    // It stays readable when it is renamed.
    this.#file = open(ingest.path, 'r')
  }

  /** Never rejects: readers are told. */
  async run(): Promise<void> {
    const { ingest } = this
    const arrived = async () => {
      await ingest.flush()
      this.#arrived = ingest.offset
      this.#news.emit('news')
    }
    try {
      await arrived()
      const sink = {
        get offset() {
          return ingest.offset
        },
        write: async (chunk: Uint8Array) => {
          await ingest.write(chunk)
          if (ingest.offset - this.#arrived >= CHUNK) await arrived()
        },
        restart: () => ingest.restart(),
      }
      await this.upstream.downloadBlob(this.blob, sink)
      await arrived()
      await ingest.commit()
      this.#state = 'here'
    } catch (error) {
      this.#state = error as Error
      await ingest.abort()
    }
    this.#news.emit('news')
    if (this.#readers === 0) await this.#close()
  }

  async #close(): Promise<void> {
    await (await this.#file).close().catch(() => {})
  }

  stream({ start, end }: ByteRange = { start: 0, end: this.size - 1 }): Readable {
    this.#readers++
    return Readable.from(this.#follow(start, end), { objectMode: false })
  }

  /** The last bytes are given only when all were verified. */
  async *#follow(start: number, end: number): AsyncGenerator<Buffer> {
    try {
      const file = await this.#file
      for (let at = start; at <= end; ) {
        if (this.#state instanceof Error) throw this.#state
        const ready = this.#state === 'here' ? this.size : Math.min(this.#arrived, this.size - 1)
        if (at >= ready) {
          await once(this.#news, 'news')
          continue
        }
        const length = Math.min(CHUNK, ready - at, end + 1 - at)
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, at)
        if (bytesRead === 0) throw new Error('the growing file became shorter')
        at += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    } finally {
      this.#readers--
      if (this.#readers === 0 && this.#state !== 'coming') await this.#close()
    }
  }
}
