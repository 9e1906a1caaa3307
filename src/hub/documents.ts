import type { ContentStore } from '../content/index.js'
import { isJubakoError } from '../errors/index.js'
import type { Digest } from '../oci/index.js'
import { HubError } from './errors.js'

const KEPT_BYTES = 8 * 2 ** 20
const LIMIT = 8 * 2 ** 20

/** Small documents by digest; those that were read last are kept in memory. */
export class Documents {
  readonly #kept = new Map<Digest, Buffer>()
  #bytes = 0

  constructor(private readonly store: ContentStore) {}

  /** @throws HubError `MANIFEST_UNKNOWN` when it is not here */
  async read(digest: Digest): Promise<Buffer> {
    const kept = this.#kept.get(digest)
    if (kept !== undefined && this.store.has(digest)) {
      this.#kept.delete(digest)
      this.#kept.set(digest, kept)
      return kept
    }
    const bytes = await this.store.read(digest, LIMIT).catch((error: unknown) => {
      if (isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) throw new HubError('MANIFEST_UNKNOWN', 'manifest unknown')
      throw error
    })
    if (kept === undefined) this.#keep(digest, bytes)
    return bytes
  }

  #keep(digest: Digest, bytes: Buffer): void {
    if (this.#kept.has(digest) || bytes.length > KEPT_BYTES / 8) return
    this.#kept.set(digest, bytes)
    this.#bytes += bytes.length
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES) return
      this.#kept.delete(oldest)
      this.#bytes -= length
    }
  }
}
