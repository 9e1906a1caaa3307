import type { Reference } from '../oci/index.js'
import type { RegistryOptions } from './options.js'
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

  /** Closes all connections. Not needed for the process to end. */
  close(): Promise<void> {
    return this.#transport.close()
  }
}
