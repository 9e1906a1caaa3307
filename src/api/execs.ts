import { randomBytes } from 'node:crypto'
import type { ExecProcess, ExitStatus } from '../engine/types.js'
import { ApiError } from './errors.js'

/** What `POST /containers/{id}/exec` asked for. */
export interface ExecRequest {
  command: string[]
  env: string[] | undefined
  workdir: string | undefined
  user: string | undefined
  privileged: boolean
  tty: boolean
  stdin: boolean
  stdout: boolean
  stderr: boolean
  detachKeys: string
}

export interface Exec {
  id: string
  containerId: string
  request: ExecRequest
  state: 'created' | 'running' | 'ended'
  process: ExecProcess | undefined
  exit: ExitStatus | undefined
  /** Settles when the process has ended and its exit is known. */
  ended: Promise<void>
  endedAt: number
}

/** As long as dockerd keeps an exec that ended. */
const KEPT_MS = 5 * 60_000
const MOST = 4096

/** Execs of this API, found by ID until some time after their end. */
export class Execs {
  readonly #all = new Map<string, Exec>()

  create(containerId: string, request: ExecRequest): Exec {
    this.#sweep()
    const exec: Exec = {
      id: randomBytes(32).toString('hex'),
      containerId,
      request,
      state: 'created',
      process: undefined,
      exit: undefined,
      ended: Promise.resolve(),
      endedAt: 0,
    }
    this.#all.set(exec.id, exec)
    return exec
  }

  /** @throws ApiError 404 */
  find(id: string): Exec {
    const exec = this.#all.get(id)
    if (exec === undefined) throw new ApiError(404, `No such exec instance: ${id}`)
    return exec
  }

  /** IDs of those of a container that have not ended; null when there is none, as docker has it. */
  of(containerId: string): string[] | null {
    const ids = [...this.#all.values()].flatMap((it) =>
      it.containerId === containerId && it.state !== 'ended' ? [it.id] : [],
    )
    return ids.length === 0 ? null : ids
  }

  /** Without a timer: an idle engine sleeps. */
  #sweep(): void {
    const now = Date.now()
    for (const [id, { state, endedAt }] of this.#all) {
      const over = state === 'ended' && now - endedAt > KEPT_MS
      if (over || (this.#all.size >= MOST && state !== 'running')) this.#all.delete(id)
    }
  }
}
