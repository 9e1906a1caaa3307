import { type Digest, shortDigest } from '../oci/index.js'
import type { OnProgress } from './types.js'

const INTERVAL_MS = 100

/** Reports what happens to one layer: every change of status, and at most ten counts a second. */
export class LayerProgress {
  readonly #id: string
  readonly #report: OnProgress | undefined
  #status = ''
  #reportedAt = 0

  constructor(digest: Digest, report: OnProgress | undefined) {
    this.#id = shortDigest(digest)
    this.#report = report
  }

  status(status: string): void {
    if (status === this.#status) return
    this.#status = status
    this.#report?.({ id: this.#id, status })
  }

  /** @param current bytes of `total` */
  count(status: string, current: number, total: number): void {
    if (this.#report === undefined) return
    const now = performance.now()
    if (status === this.#status && current < total && now - this.#reportedAt < INTERVAL_MS) return
    this.#status = status
    this.#reportedAt = now
    this.#report({ id: this.#id, status, current, total })
  }
}

/** Reports a line about the whole. */
export function reportLine(report: OnProgress | undefined, status: string): void {
  report?.({ id: '', status })
}
