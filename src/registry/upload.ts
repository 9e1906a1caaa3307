import type { Readable } from 'node:stream'
import { isJubakoError, type JubakoError } from '../errors/index.js'
import type { Descriptor } from '../oci/index.js'
import { discardBody } from './body.js'
import { answerError, ConnectionFailure, networkError } from './failures.js'
import type { Call, Session } from './session.js'
import type { Response } from './transport.js'

/** Makes a stream of the blob's bytes from `start` up to, not including, `end`; called once per try and chunk. */
export type BlobSource = (start: number, end: number) => Readable

export interface UploadOptions {
  /** A repository of the same registry that may have the blob. */
  mountFrom?: string | undefined
  /** Bytes of one request. Default: the whole blob; less when the registry calls that too large. */
  chunkBytes?: number | undefined
  /** Bytes handed over so far. Goes back when something is sent again. */
  onProgress?: ((sent: number) => void) | undefined
}

type UploadCall = Pick<Call, 'scope' | 'what' | 'signal'>

/** Largest and least size of chunks for a registry that called a request too large. */
const CHUNKS = { max: 16 * 1024 * 1024, min: 256 * 1024 }
const PROGRESS_BYTES = 1024 * 1024
const PAYLOAD_TOO_LARGE = 413

/**
 * Uploads a blob, after asking for a mount from another repository of the same registry (distribution-spec, "Pushing
 * blobs"): in one request, or in chunks. What breaks off goes on where the registry says that it stopped.
 */
export async function uploadBlob(
  session: Session,
  repository: string,
  call: UploadCall,
  blob: Descriptor,
  source: BlobSource,
  options: UploadOptions,
): Promise<'mounted' | 'uploaded'> {
  return new Upload(session, `/v2/${repository}/blobs/uploads/`, call, blob, source, options).run()
}

class Upload {
  readonly #session: Session
  readonly #path: string
  readonly #call: UploadCall
  readonly #blob: Descriptor
  readonly #source: BlobSource
  readonly #options: UploadOptions
  #chunkBytes: number
  #location!: URL
  /** Bytes that the registry is known to have. */
  #stored = 0

  constructor(
    session: Session,
    path: string,
    call: UploadCall,
    blob: Descriptor,
    source: BlobSource,
    options: UploadOptions,
  ) {
    this.#session = session
    this.#path = path
    this.#call = call
    this.#blob = blob
    this.#source = source
    this.#options = options
    this.#chunkBytes = options.chunkBytes ?? Number.POSITIVE_INFINITY
  }

  async run(): Promise<'mounted' | 'uploaded'> {
    if ((await this.#begin(this.#options.mountFrom)) === 'mounted') return 'mounted'
    for (let attempt = 1; ; ) {
      const before = this.#stored
      const failure = await this.#sendRest()
      if (failure === undefined) return 'uploaded'
      if (failure === 'too large') {
        this.#chunkBytes = this.#smallerChunk()
        await this.#begin()
        continue
      }
      const known = await this.#askWhatIsStored()
      if (this.#stored - before >= PROGRESS_BYTES) attempt = 1
      if (attempt >= this.#session.retry.attempts) throw failure
      await this.#session.pause(attempt++, this.#call.signal)
      if (!known) await this.#begin()
    }
  }

  #smallerChunk(): number {
    const next = Math.min(CHUNKS.max, Math.ceil(Math.min(this.#chunkBytes, this.#blob.size) / 4))
    if (next >= CHUNKS.min) return next
    const { registry } = this.#session
    const answer = { status: PAYLOAD_TOO_LARGE, detail: 'even small requests are too large', retryAfterMs: undefined }
    throw answerError(registry, this.#call.what, answer)
  }

  async #begin(mountFrom?: string): Promise<'mounted' | 'begun'> {
    const query = mountFrom === undefined ? '' : `?mount=${this.#blob.digest}&from=${encodeURIComponent(mountFrom)}`
    const response = await this.#session.call({
      ...this.#call,
      path: this.#path + query,
      method: 'POST',
      body: Buffer.alloc(0),
      accept: [201, 202],
    })
    discardBody(response.body)
    if (response.status === 201) return 'mounted'
    this.#stored = 0
    this.#location = this.#locationOf(response)
    const least = Number(response.headers['oci-chunk-min-length'])
    if (least > 0 && least <= 2 ** 30) this.#chunkBytes = Math.max(this.#chunkBytes, least)
    return 'begun'
  }

  /** @returns what is worth another try; throws what is not */
  async #sendRest(): Promise<JubakoError | 'too large' | undefined> {
    const { size } = this.#blob
    try {
      if (this.#stored === 0 && size <= this.#chunkBytes) {
        await this.#send('PUT', 0, size)
        return undefined
      }
      while (this.#stored < size) {
        const end = Math.min(this.#stored + this.#chunkBytes, size)
        const response = await this.#send('PATCH', this.#stored, end)
        this.#location = this.#locationOf(response)
        this.#stored = end
      }
      await this.#send('PUT', size, size)
      return undefined
    } catch (error) {
      if (error === PAYLOAD_TOO_LARGE) return 'too large'
      if (isJubakoError(error, 'ERR_JUBAKO_NETWORK', 'ERR_JUBAKO_REGISTRY')) return error
      throw error
    }
  }

  /** PATCH adds bytes, PUT adds bytes and ends the upload. */
  async #send(method: 'PUT' | 'PATCH', start: number, end: number): Promise<Response> {
    const location = new URL(this.#location)
    if (method === 'PUT') location.searchParams.set('digest', this.#blob.digest)
    const stall = new AbortController()
    const { signal } = this.#call
    let stream: Readable | undefined
    const body = () => {
      stream?.destroy()
      stream = this.#source(start, end)
      return this.#watched(stream, start, stall)
    }
    try {
      const response = await this.#session.callOnce({
        ...this.#call,
        path: location,
        method,
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': String(end - start),
          ...(method === 'PATCH' && { 'content-range': `${start}-${end - 1}` }),
        },
        body: start === end ? Buffer.alloc(0) : body,
        accept: [...(method === 'PUT' ? [201, 204] : [202, 204]), PAYLOAD_TOO_LARGE],
        signal: signal === undefined ? stall.signal : AbortSignal.any([signal, stall.signal]),
      })
      discardBody(response.body)
      if (response.status !== PAYLOAD_TOO_LARGE) return response
      throw PAYLOAD_TOO_LARGE
    } catch (error) {
      if (stall.signal.aborted && !signal?.aborted) {
        throw networkError(this.#session.registry, this.#call.what, stall.signal.reason)
      }
      throw error
    } finally {
      stream?.destroy()
    }
  }

  /** Counts what is taken from a stream, and stops a request that takes nothing for too long. */
  async *#watched(stream: Readable, start: number, stall: AbortController): AsyncGenerator<Buffer> {
    let sent = start
    const { stallMs } = this.#session.deadlines
    const timer = setTimeout(() => stall.abort(new ConnectionFailure('the registry takes nothing any more')), stallMs)
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        yield chunk
        sent += chunk.length
        timer.refresh()
        this.#options.onProgress?.(sent)
      }
    } finally {
      clearTimeout(timer)
    }
  }

  /** @returns false when the upload is lost and must begin anew */
  async #askWhatIsStored(): Promise<boolean> {
    try {
      const response = await this.#session.callOnce({
        ...this.#call,
        path: this.#location,
        method: 'GET',
        accept: [202, 204],
      })
      discardBody(response.body)
      const last = Number(/^(?:bytes[ =])?0-(\d+)$/.exec(String(response.headers.range ?? ''))?.[1] ?? 0)
      // `0-0` is what registries say of nothing as well as of one byte.
      if (last === 0 || last >= this.#blob.size) return false
      this.#location = this.#locationOf(response)
      this.#stored = last + 1
      return true
    } catch (error) {
      if (isJubakoError(error, 'ERR_JUBAKO_ABORTED')) throw error
      return false
    }
  }

  #locationOf(response: Response): URL {
    const { location } = response.headers
    try {
      const url = new URL(String(location ?? ''), response.url)
      if (location !== undefined && /^https?:$/.test(url.protocol)) return url
    } catch {
      // Reported below, with the registry's name.
    }
    throw this.#answer(response, 'no upload location')
  }

  #answer(response: Response, detail: string): JubakoError {
    return answerError(this.#session.registry, this.#call.what, {
      status: response.status,
      detail,
      retryAfterMs: undefined,
    })
  }
}
