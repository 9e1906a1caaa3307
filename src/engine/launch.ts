import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { closeFd, InitProcess, openPipe, type StreamPlan } from '../native/index.js'
import { madeEarly, namespaceSteps } from '../runtime/index.js'

/** Pipes between this process and an owned container or exec: no byte passes through jubako-init. */
export class StdioPipes {
  readonly fds: number[] = []
  readonly streams: [StreamPlan, StreamPlan, StreamPlan] = [{ kind: 'null' }, { kind: 'null' }, { kind: 'null' }]
  readonly #ours: (number | null)[] = [null, null, null]
  readonly #taken: Socket[] = []

  constructor(stdin: boolean) {
    for (let i = stdin ? 0 : 1; i < 3; i++) {
      const [read, write] = openPipe()
      this.streams[i] = { kind: 'passed', index: this.fds.length }
      this.fds.push(i === 0 ? read : write)
      this.#ours[i] = i === 0 ? write : read
    }
  }

  /** Once the process exists that they were passed to: their other ends are its alone now. */
  take(): { stdin: Writable | null; stdout: Readable; stderr: Readable } {
    this.#closeTheirs()
    const [stdin, stdout, stderr] = this.#ours.splice(0)
    const open = (fd: number, readable: boolean) => {
      const socket = new Socket({ fd, readable, writable: !readable })
      this.#taken.push(socket)
      return socket
    }
    return {
      stdin: stdin == null ? null : open(stdin, false),
      stdout: open(stdout!, true),
      stderr: open(stderr!, true),
    }
  }

  abandon(): void {
    this.#closeTheirs()
    for (const fd of this.#ours.splice(0)) if (fd !== null) closeFd(fd)
    for (const socket of this.#taken.splice(0)) socket.destroy()
  }

  #closeTheirs(): void {
    for (const fd of this.fds.splice(0)) closeFd(fd)
  }
}

/** What has to be known of a process when its supervisor is started. */
export interface LaunchShape {
  role: 'supervise' | 'exec'
  /** Its streams are pipes to this process. */
  piped: boolean
  /** So is its standard input. */
  stdin: boolean
  /** CLONE_NEW* of the namespaces that it makes before its plan comes. */
  namespaces: number
}

/** A supervisor that waits for its plan, and the pipes it was given: made while the plan is still being thought out. */
export class Launch {
  readonly shape: LaunchShape
  pipes: StdioPipes | undefined
  readonly init: InitProcess
  /** CLONE_NEW* of those that it was told to make already. */
  namespaces = 0
  /** It was told to make the container's directory and root. */
  hasRoot = false
  /** Another of its shape was wanted a moment before. */
  repeats = false

  constructor(shape: LaunchShape, title: string, joins: readonly { fd: number }[] = []) {
    const { role, piped, stdin } = shape
    this.shape = shape
    this.pipes = piped ? new StdioPipes(stdin) : undefined
    this.init = new InitProcess(role, [...(this.pipes?.fds ?? []), ...joins.map(({ fd }) => fd)], title)
  }

  /** Number of passed descriptors before the namespaces to join. */
  get firstJoin(): number {
    return this.pipes?.fds.length ?? 0
  }

  /** Takes one that has carried out its plan for another. */
  renew(title: string): void {
    this.pipes = new StdioPipes(this.shape.stdin)
    this.init.renew(title, this.pipes.fds)
  }

  makeNamespaces(namespaces: number): void {
    if (namespaces === 0) return
    this.init.prepare(namespaceSteps(namespaces), [])
    this.namespaces = namespaces
  }

  /** Resolves when nothing of it is left. */
  async abandon(): Promise<void> {
    this.init.abandon()
    await this.init.spawned.catch(() => {})
    this.pipes?.abandon()
    await this.init.exited
  }
}

/** A terminal's master stays with the supervisor: then its bytes are frames of the control socket. */
export function shapeOf(
  config: { owned: boolean; tty: boolean; stdin: boolean } & Parameters<typeof madeEarly>[0],
): LaunchShape {
  const piped = config.owned && !config.tty
  return { role: 'supervise', piped, stdin: config.stdin, namespaces: madeEarly(config) }
}
