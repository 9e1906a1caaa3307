import { JubakoError } from '../errors/index.js'
import { type ContainerConfig, request, requests } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { cgroupOf, thaw } from './freezing.js'
import { signalNumber } from './signals.js'
import { snapshotOf } from './state.js'
import type { ContainerState, StopOptions } from './types.js'

const ESRCH = 3
const SIGKILL = 9

/** Docker's words for what needs a running container. */
export function notRunning(config: ContainerConfig, state?: ContainerState): JubakoError {
  if (state === 'restarting') {
    return new JubakoError(
      'ERR_JUBAKO_STATE',
      `Container ${config.id} is restarting, wait until the container is running`,
    )
  }
  return new JubakoError('ERR_JUBAKO_STATE', `container ${config.id} is not running`, {
    hint: `start it with: jubako start ${config.name}`,
  })
}

/** A frozen process takes a signal only when it runs again. */
async function wake(context: EngineContext, config: ContainerConfig): Promise<void> {
  if (await thaw(cgroupOf(context, config))) context.events.container(config, 'unpause')
}

/**
 * Sends a signal to a running container's first process. As Docker has it, SIGKILL and the stop signal (any signal, if it
 * has no stop signal of its own) also mean that no restart policy starts it again, and wake one that is paused. SIGKILL is
 * waited for.
 */
export async function killContainer(
  context: EngineContext,
  config: ContainerConfig,
  signal: string | number,
): Promise<number> {
  const number = signalNumber(signal)
  const { socket } = context.store.places.of(config.id)
  const final = number === SIGKILL || config.stopSignal === 'SIGTERM' || number === signalNumber(config.stopSignal)
  if (config.restart.policy !== 'no' && context.store.isRunning(config.id)) context.store.markStopped(config.id)
  const errno = await request(socket, final ? requests.stop(number) : requests.kill(number))
  if (errno === null || errno === ESRCH) {
    throw new JubakoError(
      'ERR_JUBAKO_STATE',
      `cannot kill container: ${config.name}: container ${config.id} is not running`,
    )
  }
  if (errno !== 0) {
    throw new JubakoError('ERR_JUBAKO_SYSTEM', `cannot kill container ${config.name}`, {
      errno,
      syscall: 'pidfd_send_signal',
    })
  }
  if (final) await wake(context, config)
  if (number === SIGKILL) await untilEnded(context, config.id)
  return number
}

/** Docker waits so long for what was killed, so that it can be removed or started at once. */
const KILLED_MS = 10_000

async function untilEnded({ store }: EngineContext, id: string): Promise<void> {
  const end = Date.now() + KILLED_MS
  for (let attempt = 0; store.isRunning(id) && !store.isEnding(id) && Date.now() < end; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, attempt < 20 ? 1 : 10))
  }
}

/** One order to stop; again while the supervisor lives but is between two lives. False when there was nobody to stop. */
async function order(context: EngineContext, config: ContainerConfig, signal: number): Promise<boolean> {
  const { store } = context
  const { socket } = store.places.of(config.id)
  for (let attempt = 0; attempt < 500 && store.isRunning(config.id); attempt++) {
    const errno = await request(socket, requests.stop(signal))
    if (errno === 0) return true
    if (store.isEnding(config.id)) return false
    await new Promise((resolve) => setTimeout(resolve, attempt < 20 ? 1 : 10))
  }
  return false
}

/** Resolves when the supervisor is gone: within a moment, once its container has ended. */
export async function untilGone(context: EngineContext, id: string): Promise<void> {
  for (let attempt = 0; context.store.isRunning(id) && attempt < 500; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, attempt < 20 ? 1 : 10))
  }
}

/** Stops a container, also one that is about to be started again; `sent` is called for each signal. */
export async function stopContainer(
  context: EngineContext,
  config: ContainerConfig,
  options: StopOptions,
  ended: () => Promise<unknown>,
  sent: (signal: number) => void = () => {},
): Promise<void> {
  const signal = signalNumber(options.signal ?? config.stopSignal)
  const timeout = options.timeout ?? config.stopTimeout
  context.store.markStopped(config.id)
  const over = ended()
  const running = snapshotOf(context, config).state !== 'restarting'
  // Told before it is done: else the supervisor could tell of the end first.
  if (running) sent(signal)
  if (!(await order(context, config, signal))) return
  await wake(context, config)
  let timer: NodeJS.Timeout | undefined
  if (timeout >= 0) {
    timer = setTimeout(() => {
      sent(SIGKILL)
      void order(context, config, SIGKILL).catch(() => {})
    }, timeout * 1000)
  }
  try {
    await over
  } finally {
    clearTimeout(timer)
  }
}

/** Kills a container and lets no policy start it again. */
export async function killForGood(
  context: EngineContext,
  config: ContainerConfig,
  ended: () => Promise<unknown>,
): Promise<void> {
  const over = ended()
  if (!(await order(context, config, SIGKILL))) return
  await wake(context, config)
  await over
}
