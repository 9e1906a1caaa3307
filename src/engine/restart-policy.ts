import { invalidArgument } from '../errors/index.js'
import type { ContainerConfig, RestartConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import type { RestartPolicy } from './life-types.js'

const policies = ['no', 'on-failure', 'always', 'unless-stopped'] as const

/** @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT with Docker's message */
export function restartConfig(given: RestartPolicy | undefined): RestartConfig {
  const { policy = 'no', maxRetries = 0 } = given ?? {}
  if (!policies.includes(policy)) {
    throw invalidArgument(
      `invalid restart policy: unknown policy '${policy}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    )
  }
  if (!Number.isInteger(maxRetries)) {
    throw invalidArgument('invalid restart policy format: maximum retry count must be an integer')
  }
  if (maxRetries !== 0 && policy !== 'on-failure') {
    const negative = maxRetries < 0 ? ' and cannot be negative' : ''
    throw invalidArgument(`invalid restart policy: maximum retry count can only be used with 'on-failure'${negative}`)
  }
  if (maxRetries < 0) throw invalidArgument('invalid restart policy: maximum retry count cannot be negative')
  return { policy, maxRetries }
}

/**
 * Whether a container that lost its supervisor, or that the end of the machine took along, is to be started again: as
 * Docker decides when its daemon starts.
 *
 * @param booted the machine was started since; `always` then holds for what was stopped by hand too
 */
export function startsAgain(context: EngineContext, config: ContainerConfig, booted: boolean): boolean {
  const { policy } = config.restart
  if (config.owned || policy === 'no' || !context.store.wasStarted(config.id)) return false
  const byHand = context.store.wasStopped(config.id)
  const record = context.store.exitRecord(config.id)
  // It had ended, and was not about to be started again.
  const atRest = record !== undefined && record.restarting !== true
  if (!booted && (byHand || atRest)) return false
  if (policy === 'always') return true
  if (policy === 'unless-stopped') return !byHand
  const { maxRetries } = config.restart
  return !byHand && (record?.exitCode ?? 255) !== 0 && (maxRetries === 0 || (record?.restartCount ?? 0) < maxRetries)
}
