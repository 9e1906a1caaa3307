import { readdirSync, rmdirSync } from 'node:fs'
import { removeTree } from '../native/index.js'
import { processStartTime } from './boot.js'
import { removeContainer } from './container.js'
import type { EngineContext } from './context.js'

/** Who made an owned container: a file `owner` in its directory. */
export interface Owner {
  pid: number
  startTime: string
}

export const ownerIsGone = (owner: Owner): boolean => processStartTime(owner.pid) !== owner.startTime

/**
 * Removes what processes left that were killed: owned containers whose owner is gone, `--rm` ones whose supervisor died,
 * run directories and cgroups without a container, and the trash. What lives is never touched: a supervisor holds its lock
 * from before its first act.
 */
export async function sweep(context: EngineContext): Promise<void> {
  const { store, cgroups } = context
  const containers = new Map(store.all().map((config) => [config.id, config]))
  for (const config of containers.values()) {
    if (store.isRunning(config.id)) continue
    const dead = config.owned
      ? config.owner === undefined || ownerIsGone(config.owner)
      : config.autoRemove && store.wasStarted(config.id)
    if (!dead) continue
    await removeContainer(context, config)
    containers.delete(config.id)
  }
  for (const id of cgroups.list({ parent: context.cgroupParent })) {
    if (store.isRunning(id) || containers.has(id)) continue
    const cgroup = cgroups.open(id, { parent: context.cgroupParent })
    await cgroup.kill()
    await cgroup.remove()
  }
  for (const id of readdirSync(context.runRoot)) {
    if (!/^[0-9a-f]{64}$/.test(id) || store.isRunning(id)) continue
    // A supervisor of another process that is about to take its lock has a record already.
    if (containers.has(id) || store.load(id) !== undefined) continue
    await removeTree(`${context.runRoot}/${id}`)
  }
  await store.emptyTrash()
}

/** Removes the parents of containers' cgroups that are empty now. */
export function removeCgroupParents(context: EngineContext): void {
  for (const path of [...context.cgroupParents].reverse()) {
    try {
      rmdirSync(path)
    } catch {
      // Others still use it.
    }
  }
}
