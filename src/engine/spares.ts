import { Launch, type LaunchShape } from './launch.js'

/** Milliseconds that a supervisor waits for work. */
const PATIENCE = 250
/** Most that wait for work of one shape: while one is used the one before gets ready. */
const MOST = 4
/** Room for the title of any container. */
const TITLE = 'idle'.padEnd(64)

const keyOf = (shape: LaunchShape): string => Object.values(shape).join()

interface Spare {
  launch: Launch
  /** It has carried out a plan before. */
  used: boolean
  timer: NodeJS.Timeout
}

/**
 * Supervisors that are there before they are needed. Who starts one container or exec soon after another will start a
 * third: for that one a process waits, for a quarter of a second, with the namespaces that it will need. It holds nothing
 * else, keeps nobody from ending, and ends with this process. An exec's supervisor itself waits for the next exec.
 */
export class Spares {
  readonly #spares = new Map<string, Spare[]>()
  readonly #taken = new Map<string, number>()
  readonly #ending = new Set<Promise<void>>()
  #closed = false

  /** One that waited, or a new one. */
  take(shape: LaunchShape, title: string): Launch {
    const key = keyOf(shape)
    const now = performance.now()
    const soon = now - (this.#taken.get(key) ?? Number.NEGATIVE_INFINITY) < PATIENCE
    this.#taken.set(key, now)
    const spare = this.#spares.get(key)?.at(-1)
    let launch: Launch
    if (spare === undefined) {
      launch = new Launch(shape, title)
      launch.makeNamespaces(shape.namespaces)
    } else {
      launch = spare.launch
      this.#drop(spare)
      launch.init.control.ref()
      if (spare.used) launch.renew(title)
      else launch.init.rename(title)
    }
    launch.repeats = soon
    return launch
  }

  /**
   * Makes one for who follows a launch that has its plan.
   *
   * @param end of a container that runs by now
   */
  follow(launch: Launch, end?: Promise<unknown>): void {
    const { repeats, shape } = launch
    if (!repeats) return
    const refill = () => this.#refill(shape)
    // When this process has nothing else to do. An exec is waited for; of a container the removal takes longest.
    if (end === undefined) setImmediate(refill)
    else if (shape.piped) void end.then(() => setImmediate(refill))
    else setTimeout(refill, 10).unref()
  }

  /** Keeps one that waits for a second plan when it has carried out the first. */
  reuse(launch: Launch): void {
    launch.init.onIdle = () => {
      // They are whose exec it was.
      launch.pipes = undefined
      if (this.#closed || (this.#spares.get(keyOf(launch.shape))?.length ?? 0) >= MOST) this.#end(launch)
      else this.#keep(launch, true)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const spare of [...this.#spares.values()].flat()) {
      this.#drop(spare)
      this.#end(spare.launch)
    }
    await Promise.all(this.#ending)
  }

  #refill(shape: LaunchShape): void {
    if (this.#closed || this.#spares.has(keyOf(shape))) return
    const launch = new Launch(shape, TITLE)
    launch.makeNamespaces(shape.namespaces)
    launch.init.spawned.catch(this.#keep(launch, false))
  }

  /** @returns what ends its wait */
  #keep(launch: Launch, used: boolean): () => void {
    launch.init.control.unref()
    const end = () => {
      if (this.#drop(spare)) this.#end(launch)
    }
    const spare = { launch, used, timer: setTimeout(end, PATIENCE).unref() }
    const key = keyOf(launch.shape)
    this.#spares.set(key, [...(this.#spares.get(key) ?? []), spare])
    launch.init.onExit = end
    return end
  }

  /** @returns whether it was there */
  #drop(spare: Spare): boolean {
    clearTimeout(spare.timer)
    const key = keyOf(spare.launch.shape)
    const all = this.#spares.get(key) ?? []
    const others = all.filter((it) => it !== spare)
    if (others.length > 0) this.#spares.set(key, others)
    else this.#spares.delete(key)
    return others.length < all.length
  }

  #end(launch: Launch): void {
    const ending = launch.abandon().then(() => void this.#ending.delete(ending))
    this.#ending.add(ending)
  }
}
