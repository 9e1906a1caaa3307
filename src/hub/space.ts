import type { ContentStore } from '../content/index.js'
import { HubError } from './errors.js'

const AGAIN_MS = 60_000

/** How much a registry holds, and how much it may. */
export class Space {
  #used = 0
  #at = Number.NEGATIVE_INFINITY
  #counting: Promise<number> | undefined

  /** @param quota bytes; undefined: no limit */
  constructor(
    private readonly store: ContentStore,
    readonly quota: number | undefined,
  ) {}

  /** Bytes of content. Counted at times, and kept in between. */
  used(): Promise<number> {
    if (performance.now() - this.#at < AGAIN_MS) return Promise.resolve(this.#used)
    this.#counting ??= this.#count().finally(() => {
      this.#counting = undefined
    })
    return this.#counting
  }

  async #count(): Promise<number> {
    let used = 0
    for await (const { size } of this.store.list()) used += size
    this.#used = used
    this.#at = performance.now()
    return used
  }

  added(bytes: number): void {
    this.#used += bytes
  }

  /** Something went: count again. */
  changed(): void {
    this.#at = Number.NEGATIVE_INFINITY
  }

  /** Bytes that may still come; infinite without a quota. */
  async left(): Promise<number> {
    return this.quota === undefined ? Number.POSITIVE_INFINITY : this.quota - (await this.used())
  }
}

export const quotaExceeded = () => new HubError('DENIED', 'the quota of this registry is used up')
