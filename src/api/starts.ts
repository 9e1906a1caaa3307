import { EventEmitter } from 'node:events'
import { existsSync, type FSWatcher, watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from '../engine/engine.js'
import type { AttachOptions, Container, ExitStatus } from '../engine/types.js'
import type { Output } from './session.js'
import type { Sink } from './streams.js'

/** A client that is attached to a container before it starts. */
export interface EarlyAttachment {
  wanted: Required<AttachOptions>
  sink: Sink
  /** Called once, when the container has started; the output is not read before. */
  begin(output: Output): void
  /** The container was removed. */
  abandon(): void
}

/** How long the news of an exit waits for clients that read slowly. */
const FLUSH_MS = 2000

/**
 * What waits for containers to start: attachments, and waits for the next exit. A start through this API tells them at
 * once; one by another process is noticed by its directory in the run root.
 */
export class Starts {
  readonly #early = new Map<string, Set<EarlyAttachment>>()
  readonly #outputs = new Map<string, Set<Promise<void>>>()
  readonly #begun = new EventEmitter().setMaxListeners(0)
  readonly #starting = new Set<string>()
  #watcher: FSWatcher | undefined
  #watching = 0

  constructor(private readonly engine: Engine) {}

  /** @returns takes it back */
  attachEarly(id: string, attachment: EarlyAttachment): () => void {
    const all = this.#early.get(id) ?? new Set()
    this.#early.set(id, all.add(attachment))
    return () => {
      all.delete(attachment)
      if (all.size === 0 && this.#early.get(id) === all) this.#early.delete(id)
    }
  }

  takeEarly(id: string): EarlyAttachment[] {
    const all = [...(this.#early.get(id) ?? [])]
    this.#early.delete(id)
    return all
  }

  /** Output of a container that goes to clients of this API. */
  track(id: string, output: Output): Output {
    const all = this.#outputs.get(id) ?? new Set()
    this.#outputs.set(id, all.add(output.ended))
    void output.ended.then(() => {
      all.delete(output.ended)
      if (all.size === 0 && this.#outputs.get(id) === all) this.#outputs.delete(id)
    })
    return output
  }

  /** As docker has it: who learns of the exit was sent all output before, unless a client holds it up. */
  async flushed(id: string): Promise<void> {
    const all = this.#outputs.get(id)
    if (all === undefined) return
    const timer = new AbortController()
    const late = sleep(FLUSH_MS, undefined, { ref: false, signal: timer.signal }).catch(() => {})
    await Promise.race([Promise.all(all), late])
    timer.abort()
  }

  /**
   * Runs a start that this API makes and tells of. What the run root shows meanwhile is not looked into: a container that
   * ends and is removed at once would be gone before another handle asks for its exit.
   */
  async starting(id: string, start: () => Promise<void>): Promise<void> {
    this.#starting.add(id)
    try {
      await start()
      this.#starting.delete(id)
    } catch (error) {
      this.#starting.delete(id)
      this.#begun.emit('run root', id)
      throw error
    }
  }

  /** A container was started through this API: its handle knows of the exit first. */
  begun(container: Container): void {
    this.#begun.emit(container.id, container)
  }

  /** The next exit of a container that may not have started yet. Undefined when the container was removed before. */
  async nextExit(container: Container, signal: AbortSignal): Promise<ExitStatus | undefined> {
    const before = await container.summary()
    if (before.state === 'running' || before.state === 'paused' || before.state === 'restarting')
      return container.wait()
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#begun.off(container.id, started)
        this.#begun.off('run root', look)
        signal.removeEventListener('abort', aborted)
        this.#unwatch()
      }
      const aborted = () => {
        end()
        reject(signal.reason as Error)
      }
      const started = (it: Container) => {
        end()
        it.wait().then(resolve, reject)
      }
      let looking = false
      const look = async (name: string) => {
        if (name !== container.id || looking || this.#starting.has(name)) return
        looking = true
        try {
          const found = await this.#settle(container.id, before.finishedAt)
          if (found === undefined) return
          end()
          resolve(found === 'gone' ? undefined : await (await this.engine.container(container.id)).wait())
        } catch {
          end()
          resolve(undefined)
        } finally {
          looking = false
        }
      }
      this.#begun.on(container.id, started)
      this.#begun.on('run root', look)
      this.#watch()
      if (signal.aborted) aborted()
      else signal.addEventListener('abort', aborted, { once: true })
    })
  }

  /** Resolves when the container's record is gone. */
  async removed(id: string, signal: AbortSignal): Promise<void> {
    const directory = `${this.engine.root}/containers`
    if (!existsSync(`${directory}/${id}`)) return
    await new Promise<void>((resolve) => {
      const watcher = watch(directory, () => check())
      const end = () => {
        watcher.close()
        signal.removeEventListener('abort', end)
        resolve()
      }
      const check = () => {
        if (!existsSync(`${directory}/${id}`)) end()
      }
      watcher.on('error', end)
      signal.addEventListener('abort', end, { once: true })
      check()
    })
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  /** A run directory appears a little before the container runs: looks until it is decided. */
  async #settle(id: string, finishedBefore: number | null): Promise<'running' | 'gone' | undefined> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const summary = await this.engine.container(id).then(
        (it) => it.summary(),
        () => undefined,
      )
      if (summary === undefined) return 'gone'
      if (summary.state !== 'created' && summary.state !== 'exited') return 'running'
      if (summary.state === 'exited' && summary.finishedAt !== finishedBefore) return 'running'
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return undefined
  }

  #watch(): void {
    this.#watching++
    if (this.#watcher !== undefined) return
    this.#watcher = watch(this.engine.runRoot, (_, name) => this.#begun.emit('run root', name))
    this.#watcher.on('error', () => {})
  }

  #unwatch(): void {
    if (--this.#watching > 0) return
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
