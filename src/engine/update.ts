import { invalidArgument, JubakoError } from '../errors/index.js'
import { type ContainerConfig, request, requests } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { resourceKeys } from './merge.js'
import { restartConfig } from './restart-policy.js'
import { snapshotOf } from './state.js'
import type { UpdateOptions } from './types.js'

/** Changes a container's limits and restart policy: on disk, and in the kernel and its supervisor while it runs. */
export async function updateContainer(
  context: EngineContext,
  config: ContainerConfig,
  options: UpdateOptions,
): Promise<{ config: ContainerConfig; warnings: string[] }> {
  const { store, cgroups } = context
  const given = Object.fromEntries(
    resourceKeys.flatMap((key) => {
      const value = (options as Record<string, unknown>)[key]
      return value === undefined ? [] : [[key, value]]
    }),
  ) as ContainerConfig['resources']
  const restart = options.restart === undefined ? config.restart : restartConfig(options.restart)
  if (config.autoRemove && restart.policy !== 'no') {
    throw invalidArgument('Restart policy cannot be updated because AutoRemove is enabled for the container')
  }
  const { state } = snapshotOf(context, config)
  const merged = merge(config.resources, given)
  const { warnings } = cgroups.check(merged)
  if ((state === 'running' || state === 'paused') && Object.keys(given).length > 0) {
    const cgroup = cgroups.open(config.id, { parent: config.cgroupParent ?? context.cgroupParent })
    try {
      cgroup.update(given)
    } catch (error) {
      if (error instanceof JubakoError && error.code === 'ERR_JUBAKO_INVALID_ARGUMENT') throw error
      throw new JubakoError('ERR_JUBAKO_SYSTEM', `Cannot update container ${config.id}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
  const updated = { ...config, resources: merged, restart }
  store.save(updated)
  if (state !== 'created' && state !== 'exited' && options.restart !== undefined) {
    await request(store.places.of(config.id).socket, requests.policy(restart))
  }
  return { config: updated, warnings }
}

/** @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT with Docker's message */
function merge(old: ContainerConfig['resources'], given: ContainerConfig['resources']): ContainerConfig['resources'] {
  if (given.cpus !== undefined && (old.cpuPeriod || old.cpuQuota)) {
    const which = old.cpuPeriod ? 'CPU Period' : 'CPU Quota'
    throw invalidArgument(`Conflicting options: Nano CPUs cannot be updated as ${which} has already been set`)
  }
  if (given.cpuPeriod !== undefined && old.cpus) {
    throw invalidArgument('Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set')
  }
  if (given.cpuQuota !== undefined && old.cpus) {
    throw invalidArgument('Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set')
  }
  const sum = given.memorySwap ?? old.memorySwap ?? (old.memory === undefined ? undefined : old.memory * 2)
  if (given.memory !== undefined && sum !== undefined && sum > 0 && given.memory > sum) {
    throw invalidArgument(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    )
  }
  return { ...old, ...(sum !== undefined && given.memory !== undefined && { memorySwap: sum }), ...given }
}
