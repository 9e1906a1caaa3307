import { Launch, type LaunchShape } from './launch.js'

/** Milliseconds that a supervisor waits for work. */
const PATIENCE = 250
/** Room for the title of any container. */
const TITLE = 'idle'.padEnd(64)

const keyOf = (shape: LaunchShape): string => Object.values(shape).join()

interface Spare {
  launch: Launch
  timer: NodeJS.Timeout
}

/**
 * Supervisors that are started before they are needed. Who starts one container or exec soon after another will start a
 * third: for that one a process waits, for a quarter of a second, with the namespaces that it will need. It holds nothing
 * else, keeps nobody from ending, and ends with this process.
 */
export class Spares {
  readonly #spares = new Map<string, Spare>()
  readonly #taken = new Map<string, number>()
  readonly #ending = new Set<Promise<void>>()
  #closed = false

  /** One that waited, or a new one. */
  take(shape: LaunchShape, title: string): Launch {
    const key = keyOf(shape)
    const now = performance.now()
    const soon = now - (this.#taken.get(key) ?? Number.NEGATIVE_INFINITY) < PATIENCE
    this.#taken.set(key, now)
    const spare = this.#spares.get(key)
    let launch: Launch
    if (spare === undefined) {
      launch = new Launch(shape, title)
      launch.makeNamespaces(shape.namespaces)
    } else {
      launch = spare.launch
      this.#drop(key, spare)
      launch.init.control.ref()
      launch.init.rename(title)
    }
    launch.repeats = soon
    return launch
  }

  /**
   * Makes one for who follows a launch that has its plan.
   *
   * @param end of a container that runs by now
   */
  follow({ repeats, shape }: Launch, end?: Promise<unknown>): void {
    if (!repeats) return
    const refill = () => this.#refill(shape)
    // When this process has nothing else to do. An exec is waited for; of a container the removal takes longest.
    if (end === undefined) setImmediate(refill)
    else if (shape.piped) void end.then(() => setImmediate(refill))
    else setTimeout(refill, 10).unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const [key, spare] of this.#spares) {
      this.#drop(key, spare)
      this.#end(spare.launch)
    }
    await Promise.all(this.#ending)
  }

  #refill(shape: LaunchShape): void {
    const key = keyOf(shape)
    if (this.#closed || this.#spares.has(key)) return
    const launch = new Launch(shape, TITLE)
    launch.init.control.unref()
    launch.makeNamespaces(shape.namespaces)
    const end = () => {
      if (this.#spares.get(key) !== spare) return
      this.#drop(key, spare)
      this.#end(launch)
    }
    const spare = { launch, timer: setTimeout(end, PATIENCE).unref() }
    this.#spares.set(key, spare)
    launch.init.spawned.catch(end)
    void launch.init.exited.then(end)
  }

  #drop(key: string, { timer }: Spare): void {
    clearTimeout(timer)
    this.#spares.delete(key)
  }

  #end(launch: Launch): void {
    const ending = launch.abandon().then(() => void this.#ending.delete(ending))
    this.#ending.add(ending)
  }
}
