import { isJubakoError, JubakoError } from '../errors/index.js'
import type { Reference } from '../oci/index.js'
import type { Credentials, RegistryOptions } from './options.js'
import { Repository } from './repository.js'
import { Session } from './session.js'
import { Transport } from './transport.js'

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
