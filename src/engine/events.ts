import { mkdirSync } from 'node:fs'
import type { ImageStore } from '../images/index.js'
import type { EventPlan } from '../native/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import { eventFilter } from './event-filter.js'
import { EventJournal, eventSubject } from './event-journal.js'
import { followJournal, readJournal } from './event-reader.js'
import type { EngineEvent, EventOptions } from './event-types.js'

/** What {@link Events.emit} takes; the time is now unless it is given. */
export type NewEvent = Omit<EngineEvent, 'timeNano'> & { timeNano?: bigint }

const NANO = 1_000_000n

/** Milliseconds since the epoch at which the steady clock was 0. Most commands have nothing to tell. */
let origin: number | undefined

/** Nanoseconds since the epoch, to the microsecond: counted by the steady clock, unless the wall clock was set meanwhile. */
export function nowNano(): bigint {
  const wall = Date.now()
  origin ??= performance.timeOrigin
  let counted = origin + performance.now()
  if (Math.abs(counted - wall) > 2) {
    origin += wall - counted
    counted = wall
  }
  return BigInt(Math.round(counted * 1000)) * 1000n
}

const nanoOf = (time: number | bigint): bigint =>
  typeof time === 'bigint' ? time : BigInt(Math.round(time * 1000)) * 1000n

/** What happens to the objects of an engine's run root, told to all who listen, in whatever process. */
export class Events {
  readonly #journal: EventJournal

  constructor(runRoot: string) {
    this.#journal = new EventJournal(`${runRoot}/events`)
    mkdirSync(this.#journal.directory, { recursive: true, mode: 0o700 })
  }

  /** Adds an event to the journal. Never fails: what cannot be recorded must not stop what happens. */
  emit(event: NewEvent): void {
    try {
      this.#journal.append({ timeNano: nowNano(), ...event })
    } catch {
      // A full disk, or the run root was taken away.
    }
  }

  /** An event of a container, with Docker's attributes: its labels, image and name, and `more`. */
  container(config: ContainerConfig, action: string, more: Record<string, string> = {}): void {
    const attributes = { ...containerAttributes(config), ...more }
    this.emit({ type: 'container', action, actor: { id: config.id, attributes } })
  }

  /** An event of an image, with its labels as far as it is still there. */
  image(images: Pick<ImageStore, 'resolve'>, action: string, id: string, name: string): void {
    let labels: Record<string, string> = {}
    try {
      labels = images.resolve(id).config.config.Labels ?? {}
    } catch {
      // removed
    }
    this.emit({ type: 'image', action, actor: { id, attributes: { ...labels, name } } })
  }

  /** The events that the supervisor of a container's first process records. */
  planOf(config: ContainerConfig): EventPlan {
    return this.#plan(subjectOf(config), 'start', 'die')
  }

  /** The events that the supervisor of a process started by exec records. */
  execPlanOf(config: ContainerConfig, execId: string, command: readonly string[]): EventPlan {
    return this.#plan(
      `${subjectOf(config)},"execID":${JSON.stringify(execId)}`,
      `exec_start: ${command.join(' ')}`,
      'exec_die',
    )
  }

  /** @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT for a filter that does not exist */
  read(options: EventOptions = {}): AsyncGenerator<EngineEvent> {
    const matches = eventFilter(options.filters ?? {})
    const { until } = options
    // From now on is from this call on, not from when somebody first asks for an event.
    const since = options.since ?? (until === undefined ? nowNano() : 0n)
    return selectEvents(
      this.#journal,
      matches,
      nanoOf(since),
      until === undefined ? undefined : nanoOf(until),
      options.signal,
    )
  }

  #plan(subject: string, started: string, ended: string): EventPlan {
    return {
      path: this.#journal.path,
      limit: this.#journal.limit,
      subject,
      started: JSON.stringify(started),
      ended: JSON.stringify(ended),
    }
  }
}

function containerAttributes(config: ContainerConfig): Record<string, string> {
  return { ...config.labels, image: config.image, name: config.name }
}

/** By the record that it was made from: every exec needs it. */
const subjects = new WeakMap<ContainerConfig, string>()

/** What a container's events are about, open for further attributes. */
function subjectOf(config: ContainerConfig): string {
  let subject = subjects.get(config)
  if (subject === undefined) {
    subject = eventSubject('container', config.id, containerAttributes(config))
    subjects.set(config, subject)
  }
  return subject
}

/** Longest time a timer of Node takes. */
const LONGEST = 2 ** 31 - 1

async function* selectEvents(
  journal: EventJournal,
  matches: (event: EngineEvent) => boolean,
  since: bigint,
  until: bigint | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<EngineEvent> {
  const wanted = (event: EngineEvent) => (until === undefined || event.timeNano <= until) && matches(event)
  const left = until === undefined ? undefined : Number((until - nowNano()) / NANO)
  if (left !== undefined && left < 0) {
    for await (const event of readJournal(journal, since)) {
      if (signal?.aborted) return
      if (wanted(event)) yield event
    }
    return
  }
  const over = new AbortController()
  const end = () => over.abort()
  const timer = left === undefined || left > LONGEST ? undefined : setTimeout(end, left + 1)
  signal?.addEventListener('abort', end)
  if (signal?.aborted) end()
  try {
    for await (const event of followJournal(journal, since, over.signal)) {
      if (signal?.aborted) return
      if (wanted(event)) yield event
    }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
  }
}
