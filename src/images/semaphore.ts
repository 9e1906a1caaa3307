/** Lets a number of tasks run at once; the others wait in order. */
export class Semaphore {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(places: number) {
    this.#free = places
  }

  /** @param onWait called when there is no place yet */
  async run<T>(task: () => Promise<T>, onWait?: () => void): Promise<T> {
    if (this.#free > 0) this.#free--
    else {
      onWait?.()
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
