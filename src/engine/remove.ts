import { isJubakoError, JubakoError } from '../errors/index.js'
import { removeTree } from '../native/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import { processStartTime, thisStartTime } from './boot.js'
import type { EngineContext } from './context.js'
import { releaseLeftovers } from './network-state.js'
import { collectSnapshots, snapshotKeys } from './snapshots.js'
import { releaseVolumes } from './volumes.js'

/** Whether a removal was begun by a process that is gone. */
export function isAbandonedRemoval({ removal }: ContainerConfig): boolean {
  return removal !== undefined && removal.error === undefined && processStartTime(removal.pid) !== removal.startTime
}

/** As docker has it: what is being removed, or could not be, does nothing any more. */
export function refuseRemoved(config: ContainerConfig): void {
  if (config.removal === undefined) return
  throw new JubakoError('ERR_JUBAKO_STATE', 'container is marked for removal and cannot be started', {
    hint: `remove it with: jubako rm ${config.name}`,
  })
}

/**
 * Removes a container that does not run: record, files, name, and what a killed supervisor left. Until it is gone its state
 * is `removing`; if that fails, `dead`, and a further removal tries again.
 */
export async function removeContainer(context: EngineContext, config: ContainerConfig, volumes = false): Promise<void> {
  const current = context.store.load(config.id) ?? config
  // What is owned is known to its owner alone.
  const marked = current.owned ? current : mark(context, current)
  try {
    await carryOut(context, marked, volumes)
  } catch (error) {
    const reason = (error as Error).message
    if (!marked.owned) note(context, { ...marked, removal: { ...marked.removal!, error: reason } })
    throw new JubakoError(
      isJubakoError(error) ? error.code : 'ERR_JUBAKO_SYSTEM',
      `container ${config.name}: cannot be removed: ${reason}`,
      { cause: error, hint: `remove the cause, then try again: jubako rm ${config.name}` },
    )
  }
}

function mark(context: EngineContext, config: ContainerConfig): ContainerConfig {
  const marked = { ...config, removal: { pid: process.pid, startTime: thisStartTime() } }
  note(context, marked)
  return marked
}

/** A record that cannot be written says nothing of the removal, and does not keep it from being done. */
function note(context: EngineContext, config: ContainerConfig): void {
  try {
    context.store.save(config)
  } catch {
    // Another process has removed it, or the disk is full.
  }
}

async function carryOut(context: EngineContext, config: ContainerConfig, volumes: boolean): Promise<void> {
  const { store } = context
  const cgroup = context.cgroups.open(config.id, { parent: config.cgroupParent ?? context.cgroupParent })
  if (cgroup.exists()) {
    await cgroup.kill()
    await cgroup.remove()
  }
  await releaseLeftovers(context, config.id)
  if (store.moveToTrash(config)) context.events.container(config, 'destroy')
  await removeTree(store.places.of(config.id).run)
  await store.emptyTrash(config.id)
  if (snapshotKeys(context, config).length > 0) await collectSnapshots(context)
  await releaseVolumes(context, config.id, config.mounts, volumes || config.autoRemove)
}
