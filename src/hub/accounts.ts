import { createHmac, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { HubError } from './errors.js'
import { parseHtpasswd } from './htpasswd.js'
import type { Metrics } from './metrics.js'
import { WatchedFile } from './watched-file.js'

/** Of a password nobody has: an unknown name takes as long as a wrong password. */
const NOBODY = '$2b$10$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG'
const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 8000
const FORGET_MS = 10 * 60_000
const WAITING = 32
const KNOWN = 1000
const KNOWN_MS = 5 * 60_000

/**
 * Checks names and passwords. Each wrong one makes the next answer for this account and for this address later, so guessing
 * is slow; a right one is remembered for a while, so that working is fast.
 */
export class AccountCheck {
  readonly #file: WatchedFile<Map<string, string>>
  readonly #key = randomBytes(32)
  /** Digest of name, password and hash: when it was right. */
  readonly #known = new Map<string, number>()
  readonly #failures = new Map<string, { count: number; at: number }>()
  #waiting = 0

  constructor(
    path: string,
    private readonly metrics: Metrics,
  ) {
    this.#file = new WatchedFile(path, (text) => parseHtpasswd(text, path))
  }

  exists(name: string): boolean {
    return this.#file.value.has(name)
  }

  /** @param address where the client is @throws HubError when it is not right, or too many wait */
  async check(name: string, password: string, address: string): Promise<void> {
    const hash = this.#file.value.get(name)
    const known = createHmac('sha256', this.#key)
      .update(JSON.stringify([name, password, hash]))
      .digest('hex')
    const at = this.#known.get(known)
    if (at !== undefined && Date.now() - at < KNOWN_MS) return
    if (this.#waiting >= WAITING) {
      throw new HubError('TOOMANYREQUESTS', 'too many logins at once', undefined, { 'Retry-After': '5' })
    }
    this.#waiting++
    try {
      const keys = [`account ${name}`, `address ${address}`]
      const failures = Math.max(...keys.map((key) => this.#countOf(key)))
      if (failures > 0) await sleep(Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), LONGEST_DELAY_MS))
      const { compare } = await import('bcryptjs')
      const right = (await compare(password, hash ?? NOBODY)) && hash !== undefined
      if (right) {
        this.#failures.delete(keys[0]!)
        if (this.#known.size >= KNOWN) this.#known.clear()
        this.#known.set(known, Date.now())
        return
      }
      for (const key of keys) this.#failures.set(key, { count: this.#countOf(key) + 1, at: Date.now() })
      this.#forget()
      this.metrics.failedLogins++
      throw new HubError('UNAUTHORIZED', 'incorrect username or password')
    } finally {
      this.#waiting--
    }
  }

  #countOf(key: string): number {
    const failure = this.#failures.get(key)
    return failure === undefined || Date.now() - failure.at > FORGET_MS ? 0 : failure.count
  }

  /** Names are the client's to make up: their number is bounded. */
  #forget(): void {
    if (this.#failures.size < KNOWN) return
    const oldest = [...this.#failures].sort(([, a], [, b]) => a.at - b.at)
    for (const [key] of oldest.slice(0, KNOWN / 2)) this.#failures.delete(key)
  }
}
