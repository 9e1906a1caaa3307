import { type StepName, steps } from './steps.js'

/** One set-up or tear-down act with its fields, in the order of `native/spawn`'s readers. */
export type Step = readonly [name: StepName, ...fields: Field[]]

/** u32 and i32 are numbers, u64 bigints; strings and byte arrays are length-prefixed; lists of strings are counted. */
export type Field = number | bigint | string | Uint8Array | readonly string[] | boolean

export const Stream = { null: 0, passed: 1, pipe: 2, pty: 3 } as const

export interface StreamPlan {
  kind: keyof typeof Stream
  /** `passed`: index of the descriptor. */
  index?: number
}

export type KillPlan =
  | { kind: 'init' }
  | { kind: 'cgroup.kill'; path: string }
  | { kind: 'procs'; procs: string; freezer: string | null }

/** Lines that jubako-init adds to the journal of events (src/engine/events.ts); texts are JSON. */
export interface EventPlan {
  path: string
  /** Bytes from which on the journal is renamed. */
  limit: number
  /** Members that say what the event is about, the last of them `attributes`, which stays open: `"id":"1","attributes":{"a":"b"`. */
  subject: string
  /** Actions, as JSON strings. Empty: no such event. */
  started: string
  ended: string
}

export const RestartPolicyNumber = { no: 0, 'on-failure': 1, always: 2, 'unless-stopped': 3 } as const

export interface RestartPlan {
  policy: keyof typeof RestartPolicyNumber
  /** on-failure: most restarts; 0 is no end. */
  maxRetries: number
}

export const HealthActionNumber = { none: 0, kill: 1, restart: 2, stop: 3 } as const

/** A command that is executed in the container from time to time. Times in milliseconds. */
export interface HealthPlan {
  /** Encoded, of role exec. */
  plan: Uint8Array
  title: string
  /** Where the results go. */
  path: string
  interval: number
  timeout: number
  startPeriod: number
  startInterval: number
  retries: number
  action: keyof typeof HealthActionNumber
  /** No checks while this file contains that text. */
  paused: { path: string; text: string } | null
}

export interface LogPlan {
  path: string
  /** Bytes; 0: no rotation. */
  maxSize: number
  /** The current one counts. */
  maxFiles: number
  /** The older ones, by gzip. */
  compress: boolean
  /** JSON object that is in every line; empty: none. */
  attributes: string
}

/** Everything that jubako-init needs for one process; the fields of `Settings` in native/spawn/plan.h. */
export interface ProcessPlan {
  /** CLONE_NEW* of the new process. */
  cloneFlags: number
  intoCgroup: string | null
  /** End of the control socket kills it. */
  owned: boolean
  /** stdin, stdout, stderr. */
  streams: readonly [StreamPlan, StreamPlan, StreamPlan]
  /** What the control socket is attached to from the start (AttachMask). */
  attachMask: number
  stdinOnce: boolean
  rows: number
  columns: number
  log: LogPlan | null
  /** Directory for output that waits for readers that lag. */
  spillDirectory: string
  exitPath: string | null
  /** Gets `{"pid":...}` when the command runs, with further members: JSON, each with a comma before it. */
  statePath: string | null
  stateText: string
  oom: { path: string; key: string } | null
  kill: KillPlan
  /** exec: jubako-init waits for another plan afterwards. */
  reusable: boolean
  killOnEnd: boolean
  /** The journal of events gets a line when the command runs and when it has ended; null: none. */
  events: EventPlan | null
  restart: RestartPlan
  /** Milliseconds after which it is killed; 0: never. */
  lifeLimit: number
  /** How the supervisor stops it by itself: signal, and milliseconds until SIGKILL (-1: never). */
  stopSignal: number
  stopTimeout: number
  health: HealthPlan | null
  /** Once, before all. */
  begin: readonly Step[]
  /** Before each start. */
  host: readonly Step[]
  /** In the supervisor while the child steps run; `wait-host` waits for their end. */
  beside: readonly Step[]
  child: readonly Step[]
  /** After each end. */
  exit: readonly Step[]
  /** Once, after all. */
  end: readonly Step[]
}

const magic = 0x314b424a

/** Text up to this length is written character by character, which is faster than the call into C++. */
const SHORT = 64

/** Little endian, in one buffer that grows. */
class Writer {
  #buffer: Buffer
  #size = 0

  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafe(size)
  }

  u32(value: number): void {
    this.#room(4)
    this.#put(this.#size, value)
    this.#size += 4
  }

  u64(value: bigint): void {
    this.#room(8)
    this.#size = this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, value), this.#size)
  }

  text(value: string): void {
    const start = this.begin()
    this.#room(value.length * 3)
    if (!this.#ascii(value)) this.#size += this.#buffer.write(value, this.#size, 'utf8')
    this.end(start)
  }

  bytes(value: Uint8Array): void {
    const start = this.begin()
    this.#room(value.length)
    this.#buffer.set(value, this.#size)
    this.#size += value.length
    this.end(start)
  }

  field(value: Field): void {
    if (typeof value === 'string') this.text(value)
    else if (typeof value === 'number') this.u32(value)
    else if (typeof value === 'bigint') this.u64(value)
    else if (typeof value === 'boolean') this.u32(value ? 1 : 0)
    else if (value instanceof Uint8Array) this.bytes(value)
    else {
      this.u32(value.length)
      for (const text of value) this.text(text)
    }
  }

  steps(list: readonly Step[]): void {
    for (const step of list) {
      this.u32(steps[step[0]])
      const start = this.begin()
      for (let i = 1; i < step.length; i++) this.field(step[i] as Field)
      this.end(start)
    }
  }

  /**
   * Leaves room for a length.
   *
   * @returns what {@link end} takes
   */
  begin(): number {
    this.#room(4)
    const start = this.#size
    this.#size += 4
    return start
  }

  /** All since {@link begin} gets its length, and a NUL after it. */
  end(start: number): void {
    this.#room(1)
    this.#put(start, this.#size - start - 4)
    this.#buffer[this.#size++] = 0
  }

  done(): Buffer {
    return this.#buffer.subarray(0, this.#size)
  }

  #put(at: number, value: number): void {
    const buffer = this.#buffer
    buffer[at] = value
    buffer[at + 1] = value >>> 8
    buffer[at + 2] = value >>> 16
    buffer[at + 3] = value >>> 24
  }

  /** False, with nothing written, for what is long or not ASCII. */
  #ascii(value: string): boolean {
    if (value.length > SHORT) return false
    const buffer = this.#buffer
    const at = this.#size
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i)
      if (code > 127) return false
      buffer[at + i] = code
    }
    this.#size += value.length
    return true
  }

  #room(size: number): void {
    if (this.#size + size <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#size + size))
    this.#buffer.copy(larger, 0, 0, this.#size)
    this.#buffer = larger
  }
}

/** A list of steps alone: for steps within a step. */
export function encodeSteps(list: readonly Step[]): Buffer {
  const out = new Writer(8192)
  out.steps(list)
  return out.done()
}

/** Lists of steps, each with its length: for a supervisor to run at once. */
export function encodeStepLists(...lists: (readonly Step[])[]): Buffer {
  const out = new Writer(4096)
  encodeLists(out, lists)
  return out.done()
}

function encodeLists(out: Writer, lists: readonly (readonly Step[])[]): void {
  for (const list of lists) {
    const start = out.begin()
    out.steps(list)
    out.end(start)
  }
}

function encodeHealth(out: Writer, health: HealthPlan | null): void {
  out.bytes(health?.plan ?? new Uint8Array(0))
  out.text(health?.title ?? '')
  out.text(health?.path ?? '')
  for (const time of [health?.interval, health?.timeout, health?.startPeriod, health?.startInterval]) {
    out.u64(BigInt(Math.round(time ?? 0)))
  }
  out.u32(health?.retries ?? 0)
  out.u32(HealthActionNumber[health?.action ?? 'none'])
  out.text(health?.paused?.path ?? '')
  out.text(health?.paused?.text ?? '')
}

/** The flat form that native/spawn/plan.cc reads. */
export function encodePlan(plan: ProcessPlan): Buffer {
  const out = new Writer(24 * 1024)
  out.u32(magic)
  out.u64(BigInt(plan.cloneFlags))
  out.text(plan.intoCgroup ?? '')
  out.field(plan.owned)
  for (const stream of plan.streams) {
    out.u32(Stream[stream.kind])
    out.u32(stream.index ?? 0)
  }
  out.u32(plan.attachMask)
  out.field(plan.stdinOnce)
  out.u32(plan.rows)
  out.u32(plan.columns)
  out.text(plan.log?.path ?? '')
  out.u64(BigInt(plan.log?.maxSize ?? 0))
  out.u32(plan.log?.maxFiles ?? 1)
  out.field(plan.log?.compress ?? false)
  out.text(plan.log?.attributes ?? '')
  out.text(plan.spillDirectory)
  out.text(plan.exitPath ?? '')
  out.text(plan.statePath ?? '')
  out.text(plan.stateText)
  out.text(plan.oom?.path ?? '')
  out.text(plan.oom?.key ?? '')
  out.u32({ init: 0, 'cgroup.kill': 1, procs: 2 }[plan.kill.kind])
  out.text(plan.kill.kind === 'cgroup.kill' ? plan.kill.path : plan.kill.kind === 'procs' ? plan.kill.procs : '')
  out.text(plan.kill.kind === 'procs' ? (plan.kill.freezer ?? '') : '')
  out.field(plan.reusable)
  out.field(plan.killOnEnd)
  out.text(plan.events?.path ?? '')
  out.u64(BigInt(plan.events?.limit ?? 0))
  out.text(plan.events?.subject ?? '')
  out.text(plan.events?.started ?? '')
  out.text(plan.events?.ended ?? '')
  out.u32(RestartPolicyNumber[plan.restart.policy])
  out.u32(plan.restart.maxRetries)
  out.u64(BigInt(Math.round(plan.lifeLimit)))
  out.u32(plan.stopSignal)
  out.u64(BigInt(Math.round(plan.stopTimeout)))
  encodeHealth(out, plan.health)
  const { begin, host, beside, child, exit, end } = plan
  encodeLists(out, [begin, host, beside, child, exit, end])
  return out.done()
}
