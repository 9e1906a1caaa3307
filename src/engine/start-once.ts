import { isJubakoError } from '../errors/index.js'
import type { Beginning, ContainerConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import type { Launch } from './launch.js'
import { type Started, startContainer } from './start.js'
import { untilGone } from './stop.js'
import type { StartOptions } from './types.js'

/**
 * Starts a container that does not run. Of several that start it at once one does, and the others find it running.
 *
 * @param beginning of one that nobody else can know of yet
 * @returns undefined when it runs already
 */
export async function startOnce(
  context: EngineContext,
  config: ContainerConfig,
  options: StartOptions,
  launch?: Launch,
  beginning?: Beginning,
): Promise<Started | undefined> {
  const { store } = context
  if (beginning !== undefined) return startContainer(context, config, options, launch, beginning)
  for (let attempt = 0; ; attempt++) {
    // A supervisor whose container has ended cleans up first.
    if (store.isEnding(config.id)) await untilGone(context, config.id)
    if (store.isRunning(config.id)) {
      await launch?.abandon()
      return undefined
    }
    try {
      return await startContainer(context, config, options, attempt === 0 ? launch : undefined, undefined)
    } catch (error) {
      if (!isLockedOut(error) || attempt === 5) throw error
    }
  }
}

/** Another supervisor had the lock. */
const isLockedOut = (error: unknown): boolean =>
  isJubakoError(error) && error.step === 'lock' && error.syscall === 'fcntl'
