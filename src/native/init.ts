import type { Socket } from 'node:net'
import { addon, artefactPath } from './addon.js'
import { isNativeFailure, nativeError } from './failure.js'
import { encodeFrame, FrameReader, socketFromFd } from './protocol.js'

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

/** A running jubako-init process and the frames on its control socket. */
export class InitProcess {
  readonly pid: number
  readonly control: Socket
  readonly #pidfd: number
  #reaped = false
  /** Settles when the process was reaped; all frames were delivered before. Never rejects. */
  readonly exited: Promise<InitExit>

  constructor(pid: number, pidfd: number, control: Socket, onFrame: (type: number, payload: Buffer) => void) {
    this.pid = pid
    this.#pidfd = pidfd
    this.control = control
    const reader = new FrameReader(onFrame)
    control.on('data', (chunk: Buffer) => reader.push(chunk))
    // ECONNRESET only says that the process ended with unread bytes from us.
    control.on('error', () => {})
    this.exited = new Promise((resolve) => {
      let reaping = false
      const reap = () => {
        if (reaping) return
        reaping = true
        this.#reaped = true
        control.destroy()
        addon()
          .reapInit(pidfd)
          .then(
            (status) => resolve(status < 0 ? { code: null, signal: -status } : { code: status, signal: null }),
            () => resolve({ code: null, signal: null }),
          )
      }
      control.on('end', reap)
      control.on('close', reap)
    })
  }

  /** SIGKILL, if it has not ended. */
  kill(): void {
    if (!this.#reaped) addon().killInit(this.#pidfd)
  }

  send(type: number, payload?: Uint8Array): void {
    this.control.write(encodeFrame(type, payload))
  }
}

/**
 * Starts jubako-init in a role. The plan is on its descriptor 3, the control socket on 4, `fds` from 5 on (they are
 * duplicated: the caller still owns its own).
 *
 * @param title shown by `ps`, for example the container's id
 * @throws JubakoError ERR_JUBAKO_SYSTEM when the process cannot be made
 */
export async function startInit(
  role: string,
  plan: Uint8Array,
  fds: number[],
  onFrame: (type: number, payload: Buffer) => void,
  title = '',
): Promise<InitProcess> {
  try {
    const started = await addon().startInit(initImage(), role, title, plan, fds)
    return new InitProcess(started.pid, started.pidfd, socketFromFd(started.control), onFrame)
  } catch (error) {
    if (isNativeFailure(error)) throw nativeError(error, `cannot start jubako-init ${role}`)
    throw error
  }
}
