import type { Duplex } from 'node:stream'

/** Reads a socket as it is asked for bytes; what was read too much goes back into it. */
export class Intake {
  #ended = false
  #wake: (() => void) | undefined
  readonly #readable = () => {
    if (this.#wake !== undefined) this.#wake()
    // Nobody reads now: the end is noticed all the same, so that a client that went is not served on.
    else if (this.socket.readableLength === 0) this.socket.read(0)
  }
  readonly #end = () => {
    this.#ended = true
    this.#wake?.()
    this.onEnd?.()
  }
  /** Called when the peer is known to send nothing more. */
  onEnd: (() => void) | undefined

  constructor(private readonly socket: Duplex) {
    socket.on('readable', this.#readable)
    socket.on('end', this.#end)
    socket.on('close', this.#end)
  }

  /** The peer sends nothing more, as far as is known. */
  get ended(): boolean {
    return this.#ended
  }

  /** Some bytes; null at the end. One reader at a time. */
  async next(): Promise<Buffer | null> {
    for (;;) {
      const chunk = this.socket.read() as Buffer | null
      if (chunk !== null) return chunk
      if (this.#ended || this.socket.destroyed) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
  }

  /** Gives back what the reader did not need. */
  putBack(bytes: Buffer): void {
    if (bytes.length > 0 && !this.socket.destroyed) this.socket.unshift(bytes)
  }

  /** From here on the socket is somebody else's. */
  release(): void {
    this.socket.off('readable', this.#readable)
    this.socket.off('end', this.#end)
    this.socket.off('close', this.#end)
  }
}
