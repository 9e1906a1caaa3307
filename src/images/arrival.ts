import { closeSync, openSync } from 'node:fs'

/** A blob on its way into the store, for who reads it meanwhile: its fetcher tells, its reader follows. */
export class Arrival {
  /** Bytes that can be read by now. */
  bytes = 0
  /** False once something that could be read was not the blob's after all. */
  intact = true
  /** Nothing follows any more. */
  ended = false
  /** True as soon as there is a growing file to read; false when there will be none. */
  readonly started: Promise<boolean>
  readonly #start: (begun: boolean) => void
  #fd: number | undefined
  #listener: ((bytes: number) => void) | undefined

  constructor() {
    let settle: (begun: boolean) => void = () => undefined
    this.started = new Promise((resolve) => {
      settle = resolve
    })
    this.#start = settle
  }

  /** The growing file, open for reading until {@link end}. Only after {@link started}. */
  get fd(): number {
    return this.#fd!
  }

  /** Fetcher: `path` is the file, which has the blob's first `bytes`. */
  begin(path: string, bytes: number): void {
    this.#fd ??= openSync(path, 'r')
    this.bytes = bytes
    this.#start(true)
  }

  /** Fetcher: there are more. */
  grow(bytes: number): void {
    this.bytes = bytes
    this.#listener?.(bytes)
  }

  /** Fetcher: what is in the file is not the blob's. */
  restart(): void {
    this.intact = false
  }

  /** Fetcher: nothing follows. */
  end(): void {
    this.ended = true
    this.#start(false)
  }

  /** Reader: one listener at a time. */
  follow(listener: ((bytes: number) => void) | undefined): void {
    this.#listener = listener
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}
