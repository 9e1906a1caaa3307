import type { Socket } from 'node:net'
import { addon, artefactPath } from './addon.js'
import { isNativeFailure, nativeError } from './failure.js'
import { encodeStepLists, type Step } from './plan.js'
import { encodeFrame, Frame, FrameReader, socketFromFd } from './protocol.js'

let directory: string | null = null
let image: number | undefined

/**
 * Where the sealed copy of jubako-init may be kept, so that all processes of this machine share its pages. Must be
 * called before the first {@link startInit} to have an effect; without it a sealed memfd is used.
 */
export function keepInitIn(folder: string): void {
  directory = folder
}

function initImage(): number {
  image ??= addon().sealInit(artefactPath('jubako-init'), directory)
  return image
}

/** How a jubako-init process ended: its exit code, or the number of the signal that killed it. */
export interface InitExit {
  code: number | null
  signal: number | null
}

/**
 * A jubako-init process and the frames on its control socket. It waits for its plan: so it can be started before the plan
 * is made, and starting takes no time where it matters.
 */
export class InitProcess {
  readonly control: Socket
  /** Settles when the process exists; rejects when it cannot be made. */
  readonly spawned: Promise<void>
  /** Settles when the process was reaped; all frames were delivered before. Never rejects. */
  readonly exited: Promise<InitExit>
  /** Gets every frame but that of being idle. */
  onFrame: (type: number, payload: Buffer) => void = () => {}
  /** It has done what it was planned for and waits to be renewed. */
  onIdle: () => void = () => {}
  /** Its end, before `exited` settles. */
  onExit: (exit: InitExit) => void = () => {}
  readonly #socket: number
  #renewal: { title: string; fds: readonly number[] } | undefined
  #pidfd: number | undefined

  /**
   * @param fds they become its descriptors from 4 on; the caller still owns them and may close them when `spawned`
   * @param title shown by `ps`, for example the container's id
   */
  constructor(role: string, fds: number[], title = '') {
    const [ours, theirs] = addon().controlPair()
    this.#socket = ours
    this.control = socketFromFd(ours)
    const reader = new FrameReader((type, payload) => {
      if (type === Frame.idle) this.onIdle()
      else this.onFrame(type, payload)
    })
    this.control.on('data', (chunk: Buffer) => reader.push(chunk))
    // ECONNRESET only says that the process ended with unread bytes from us.
    this.control.on('error', () => {})
    const started = addon().startInit(initImage(), role, title, theirs, fds)
    this.spawned = started.then(
      ({ pidfd }) => {
        this.#pidfd = pidfd
      },
      (error: unknown) => {
        this.control.destroy()
        throw isNativeFailure(error) ? nativeError(error, `cannot start jubako-init ${role}`) : error
      },
    )
    this.spawned.catch(() => {})
    this.exited = new Promise((resolve) => {
      let ending = false
      const ended = () => {
        if (ending) return
        ending = true
        void this.#reap().then((exit) => {
          this.onExit(exit)
          resolve(exit)
        })
      }
      this.control.once('end', ended)
      this.control.once('close', ended)
    })
  }

  /**
   * Before the next plan of an idle one.
   *
   * @param fds become its descriptors from 4 on; the caller still owns them and may close them when the plan is sent
   */
  renew(title: string, fds: readonly number[]): void {
    this.#renewal = { title, fds }
  }

  /** What `ps` shows of it from now on: at most as many bytes as it was started with. */
  rename(title: string): void {
    // With the next frame: each write wakes the process.
    this.control.cork()
    this.send(Frame.title, Buffer.from(title))
  }

  /** Has it run steps before its plan comes; if none comes, it runs those of `undo`. Its failure is the plan's. */
  prepare(act: readonly Step[], undo: readonly Step[]): void {
    this.send(Frame.prepare, encodeStepLists(act, undo, [], undo))
    this.control.uncork()
  }

  /** Lets it begin. */
  sendPlan(plan: Uint8Array): void {
    const renewal = this.#renewal
    if (renewal === undefined) {
      this.send(Frame.plan, plan)
      this.control.uncork()
    } else {
      this.#renewal = undefined
      this.#sendAgain(plan, renewal)
    }
  }

  /** Without a plan it ends at once. */
  abandon(): void {
    this.control.destroy()
  }

  /** SIGKILL, if it has not ended. */
  kill(): void {
    if (this.#pidfd !== undefined) addon().killInit(this.#pidfd)
  }

  send(type: number, payload?: Uint8Array): void {
    this.control.write(encodeFrame(type, payload))
  }

  /** In one piece, so that it wakes once. Of an end meanwhile its socket tells. */
  #sendAgain(plan: Uint8Array, { title, fds }: { title: string; fds: readonly number[] }): void {
    const frames = Buffer.concat([
      encodeFrame(Frame.passed),
      encodeFrame(Frame.title, Buffer.from(title)),
      encodeFrame(Frame.plan, plan),
    ])
    try {
      const sent = addon().passDescriptors(this.#socket, frames, fds)
      if (sent < frames.length) this.control.write(frames.subarray(sent))
    } catch (error) {
      if (!isNativeFailure(error)) throw error
      this.control.destroy()
    }
  }

  async #reap(): Promise<InitExit> {
    await this.spawned.catch(() => {})
    const pidfd = this.#pidfd
    this.#pidfd = undefined
    this.control.destroy()
    if (pidfd === undefined) return { code: null, signal: null }
    const status = await addon()
      .reapInit(pidfd)
      .catch(() => 0)
    return status < 0 ? { code: null, signal: -status } : { code: status, signal: null }
  }
}

/**
 * Starts jubako-init in a role, with its plan.
 *
 * @throws JubakoError ERR_JUBAKO_SYSTEM when the process cannot be made
 */
export async function startInit(
  role: string,
  plan: Uint8Array,
  fds: number[],
  onFrame: (type: number, payload: Buffer) => void,
  title = '',
): Promise<InitProcess> {
  const init = new InitProcess(role, fds, title)
  init.onFrame = onFrame
  init.sendPlan(plan)
  await init.spawned
  return init
}
