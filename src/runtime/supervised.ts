import { JubakoError } from '../errors/index.js'
import { decodeFailure, encodePlan, Frame, type InitProcess, type ProcessPlan } from '../native/index.js'
import { decodeExit, type ExitInfo, FramedStreams } from './connection.js'
import { withResolvers } from './resolvers.js'
import { setupError } from './setup-error.js'

/** A process under a jubako-init of ours: a container's first or an exec'd one. */
export interface Supervised {
  /** On the host. */
  pid: number
  /** null when jubako-init was killed before it could tell. */
  exit: Promise<ExitInfo | null>
  /** Settles when jubako-init has cleaned up, or was reaped. */
  gone: Promise<void>
  /** Streams over the control socket, as far as the plan attaches it. */
  streams: FramedStreams
  write(frame: Buffer): void
  /** It keeps this process from ending no longer. */
  release(): void
  /** It does again: somebody waits for it. */
  hold(): void
  init: InitProcess
}

/**
 * Gives a jubako-init that waits its plan. Resolves when the command runs.
 *
 * @param what begins the message of an error: `cannot start container x`
 * @throws JubakoError; everything was undone then
 */
export async function startSupervised(init: InitProcess, plan: ProcessPlan, what: string): Promise<Supervised> {
  const started = withResolvers()
  let pid = 0
  let failure: Error | undefined
  let exit: ExitInfo | null = null
  const exited = withResolvers<ExitInfo | null>()
  const cleaned = withResolvers()
  const streams = new FramedStreams(init.control, plan.attachMask)
  init.onFrame = (type, payload) => {
    switch (type) {
      case Frame.started:
        pid = payload.readInt32LE(0)
        started.resolve()
        break
      case Frame.failed:
        failure = setupError(decodeFailure(payload), what)
        break
      case Frame.exit:
        exit = decodeExit(payload)
        streams.end()
        exited.resolve(exit)
        break
      case Frame.gone:
        cleaned.resolve()
        break
      default:
        streams.accept(type, payload)
    }
  }
  init.sendPlan(encodePlan(plan))
  init.onExit = (status) => {
    streams.end()
    cleaned.resolve()
    if (pid === 0) {
      const killed = new JubakoError('ERR_JUBAKO_STATE', `${what}: it was killed while it was set up`)
      started.reject(
        failure ??
          (exit !== null ? killed : undefined) ??
          new JubakoError('ERR_JUBAKO_SYSTEM', `${what}: jubako-init ended by signal ${status.signal ?? 'none'}`, {
            hint: 'was it killed by hand or by the OOM killer? See the kernel log',
          }),
      )
    }
    exited.resolve(exit)
  }
  await init.spawned
  await started.promise
  return {
    pid,
    exit: exited.promise,
    gone: cleaned.promise,
    streams,
    init,
    write: (frame) => {
      if (!init.control.destroyed) init.control.write(frame)
    },
    release: () => init.control.unref(),
    hold: () => init.control.ref(),
  }
}
