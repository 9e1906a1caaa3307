import { setTimeout as sleep } from 'node:timers/promises'
import { JubakoError } from '../errors/index.js'
import { Authorization } from './authorization.js'
import { discardBody, readErrorDetail } from './body.js'
import { type Endpoint, endpointsOf } from './endpoint.js'
import { answerError, ConnectionFailure, connectionCode, isFinalConnectionError, networkError } from './failures.js'
import { RETRY, type RegistryOptions, type RetryOptions } from './options.js'
import type { Method, RequestBody, Response, Transport } from './transport.js'

export interface Call {
  method: Method
  /** `/v2/...`, or an absolute URL that the registry gave (upload locations). */
  path: string | URL
  /** What the token must allow, for example `repository:library/debian:pull`; several separated by spaces. */
  scope: string
  headers?: Record<string, string>
  /** A function makes the body anew for each try. */
  body?: Uint8Array | (() => RequestBody)
  /** For error messages: `manifest 12 of library/debian`. */
  what: string
  /** Statuses that are answers; others are errors. */
  accept: readonly number[]
  /** Whether mirrors may serve it. */
  mirrors?: boolean
  signal?: AbortSignal | undefined
}

const RETRIABLE = new Set([408, 425, 429, 500, 502, 503, 504])

/** Authorised requests to one registry, with retries, and the address under which it answers. */
export class Session {
  readonly registry: string
  readonly retry: RetryOptions
  readonly #transport: Transport
  readonly #endpoints: Endpoint[]
  readonly #authorizations = new Map<string, Authorization>()
  readonly #options: RegistryOptions
  readonly #offline: boolean
  #chosen: Endpoint | undefined

  /** @param offline a session that logs in, see {@link login} */
  constructor(registry: string, transport: Transport, options: RegistryOptions, offline = false) {
    this.#offline = offline
    this.registry = registry
    this.retry = { ...RETRY, ...options.retry }
    this.#transport = transport
    this.#options = options
    this.#endpoints = endpointsOf(registry, options)
  }

  get deadlines() {
    return this.#transport.deadlines
  }

  /** @throws JubakoError `ERR_JUBAKO_REGISTRY`, `_UNAUTHORIZED`, `_NOT_FOUND`, `_NETWORK`, `_ABORTED` */
  async call(call: Call): Promise<Response> {
    if (call.mirrors) {
      for (const mirror of this.#endpoints.filter((endpoint) => endpoint.mirror)) {
        const response = await this.#send(mirror, call).catch(() => undefined)
        if (response !== undefined && call.accept.includes(response.status)) return response
        if (response !== undefined) discardBody(response.body)
      }
    }
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(call)
      if ('response' in outcome) return outcome.response
      if (!outcome.again || attempt >= this.retry.attempts) throw outcome.error
      await this.pause(attempt, call.signal, outcome.retryAfterMs)
    }
  }

  /** As {@link call}, with one try only. */
  async callOnce(call: Call): Promise<Response> {
    const outcome = await this.#attempt(call)
    if ('response' in outcome) return outcome.response
    throw outcome.error
  }

  /**
   * Asks the registry whether it takes the credentials.
   *
   * @returns an identity token, if the registry gives one to use in the password's place
   * @throws JubakoError `ERR_JUBAKO_UNAUTHORIZED`
   */
  async login(signal: AbortSignal | undefined): Promise<string | undefined> {
    const call: Call = { method: 'GET', path: '/v2/', scope: '', what: 'login', accept: [200], signal }
    const response = await this.call(call)
    discardBody(response.body)
    return [...this.#authorizations.values()].find(({ identityToken }) => identityToken !== undefined)?.identityToken
  }

  /** Waits before another try. */
  async pause(attempt: number, signal: AbortSignal | undefined, retryAfterMs = 0): Promise<void> {
    const { firstDelayMs, maxDelayMs } = this.retry
    const delay = Math.min(firstDelayMs * 2 ** (attempt - 1), maxDelayMs) * (0.75 + Math.random() / 2)
    await sleep(Math.max(delay, retryAfterMs), undefined, { signal }).catch(() => {
      throw aborted(signal)
    })
  }

  async #attempt(
    call: Call,
  ): Promise<{ response: Response } | { error: JubakoError; again: boolean; retryAfterMs?: number | undefined }> {
    let response: Response
    try {
      response = await this.#reach(call)
    } catch (error) {
      if (call.signal?.aborted) throw aborted(call.signal)
      if (error instanceof JubakoError) throw error
      return { error: networkError(this.registry, call.what, error), again: !isFinalConnectionError(error) }
    }
    const { status } = response
    if (call.accept.includes(status)) return { response }
    const retryAfterMs = parseRetryAfter(response.headers['retry-after'])
    const detail = await readErrorDetail(response.body, this.deadlines)
    const error = answerError(this.registry, call.what, { status, detail, retryAfterMs })
    const again = RETRIABLE.has(status) && (retryAfterMs ?? 0) <= this.retry.maxRetryAfterMs
    return { error, again, retryAfterMs }
  }

  /** The first address that answers at all is the registry's from then on. */
  async #reach(call: Call): Promise<Response> {
    if (this.#chosen !== undefined) return this.#send(this.#chosen, call)
    const own = this.#endpoints.filter((endpoint) => !endpoint.mirror)
    for (const [i, endpoint] of own.entries()) {
      try {
        const response = await this.#send(endpoint, call)
        this.#chosen = endpoint
        return response
      } catch (error) {
        if (error instanceof JubakoError || call.signal?.aborted || i + 1 === own.length) throw error
        if (connectionCode(error) === 'ECONNREFUSED') throw error
      }
    }
    throw new ConnectionFailure('no address')
  }

  async #send(endpoint: Endpoint, call: Call): Promise<Response> {
    const authorization = this.#authorization(endpoint)
    const response = await this.#sendOnce(endpoint, call, authorization.header(call.scope))
    if (response.status !== 401 || !response.sameOrigin) return response
    discardBody(response.body)
    const header = await authorization.answer(response, call.scope, call.signal)
    if (header === undefined) return this.#sendOnce(endpoint, call, authorization.header(call.scope))
    return this.#sendOnce(endpoint, call, header)
  }

  #sendOnce(endpoint: Endpoint, call: Call, authorization: string | undefined): Promise<Response> {
    const url = typeof call.path === 'string' ? new URL(endpoint.base + call.path) : call.path
    const own = url.origin === new URL(endpoint.base).origin
    return this.#transport.send({
      method: call.method,
      url,
      headers: call.headers ?? {},
      authorization: own ? authorization : undefined,
      body: typeof call.body === 'function' ? call.body() : call.body,
      anyCertificate: endpoint.anyCertificate,
      signal: call.signal,
    })
  }

  #authorization(endpoint: Endpoint): Authorization {
    let authorization = this.#authorizations.get(endpoint.base)
    if (authorization === undefined) {
      const provider = endpoint.mirror ? undefined : this.#options.credentials
      authorization = new Authorization(
        this.registry,
        this.#transport,
        provider,
        endpoint.anyCertificate,
        this.#offline,
      )
      this.#authorizations.set(endpoint.base, authorization)
    }
    return authorization
  }
}

function aborted(signal: AbortSignal | undefined): JubakoError {
  return new JubakoError('ERR_JUBAKO_ABORTED', 'the operation was aborted', { cause: signal?.reason })
}

/** Milliseconds of `Retry-After`, given as seconds or as a date (RFC 9110, section 10.2.3). */
export function parseRetryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(at - Date.now(), 0)
}
