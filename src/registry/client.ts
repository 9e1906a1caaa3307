import { Readable } from 'node:stream'
import { isJubakoError, JubakoError } from '../errors/index.js'
import type { Reference } from '../oci/index.js'
import { discardBody, readWithDeadline } from './body.js'
import { networkError } from './failures.js'
import type { Credentials, RegistryOptions } from './options.js'
import { Repository } from './repository.js'
import { type SearchResult, search } from './search.js'
import { Session } from './session.js'
import { type Response, Transport } from './transport.js'

/**
 * A client for distribution-spec registries over http and https. Connections, tokens and the addresses that answered
 * are kept for its life.
 */
export class RegistryClient {
  readonly #options: RegistryOptions
  readonly #transport: Transport
  readonly #sessions = new Map<string, Session>()

  constructor(options: RegistryOptions = {}) {
    this.#options = options
    this.#transport = new Transport(options)
  }

  /** The repository a reference is in. Nothing is asked yet. */
  repository(reference: Pick<Reference, 'domain' | 'path'>): Repository {
    let session = this.#sessions.get(reference.domain)
    if (session === undefined) {
      session = new Session(reference.domain, this.#transport, this.#options)
      this.#sessions.set(reference.domain, session)
    }
    return new Repository(session, reference.path)
  }

  /**
   * Looks for repositories by a part of their name.
   *
   * @param registry host with port, `docker.io` for Docker Hub
   * @param options.limit most results, 1 to 100. Default 25
   * @throws JubakoError `ERR_JUBAKO_NOT_FOUND` when the registry offers no search
   */
  search(
    registry: string,
    term: string,
    options: { limit?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<SearchResult[]> {
    // Docker Hub answers searches at another host than pulls.
    const session = new Session(registry === 'docker.io' ? 'index.docker.io' : registry, this.#transport, this.#options)
    return search(session, term, options.limit ?? 25, options.signal)
  }

  /**
   * Fetches any URL by the same rules as a registry: proxies, certificates, redirects and deadlines, without credentials.
   *
   * @throws JubakoError `ERR_JUBAKO_NETWORK`, `ERR_JUBAKO_REGISTRY` for a status other than 200
   */
  async fetch(url: URL, options: { signal?: AbortSignal | undefined } = {}): Promise<Readable> {
    const what = `${url.origin}${url.pathname}`
    let response: Response
    try {
      response = await this.#transport.send({ method: 'GET', url, headers: {}, anyCertificate: false, ...options })
    } catch (error) {
      if (error instanceof JubakoError) throw error
      throw networkError(url.host, what, error)
    }
    if (response.status === 200) return Readable.from(readWithDeadline(response.body, this.#transport.deadlines))
    discardBody(response.body)
    throw new JubakoError('ERR_JUBAKO_REGISTRY', `got HTTP status code ${response.status} for ${what}`)
  }

  /**
   * Asks a registry whether it takes credentials, without keeping them.
   *
   * @returns an identity token, if the registry gives one to use in the password's place
   * @throws JubakoError `ERR_JUBAKO_UNAUTHORIZED` when it does not take them
   */
  async login(
    registry: string,
    credentials: Credentials,
    options: { signal?: AbortSignal } = {},
  ): Promise<{ identityToken: string | undefined }> {
    const session = new Session(registry, this.#transport, { ...this.#options, credentials: () => credentials }, true)
    try {
      return { identityToken: await session.login(options.signal) }
    } catch (error) {
      if (!isJubakoError(error, 'ERR_JUBAKO_UNAUTHORIZED')) throw error
      throw new JubakoError('ERR_JUBAKO_UNAUTHORIZED', `login attempt to ${registry} failed: ${error.message}`, {
        cause: error,
        hint: 'check the user name and the password',
      })
    }
  }

  /** Closes all connections. Not needed for the process to end. */
  close(): Promise<void> {
    return this.#transport.close()
  }
}
