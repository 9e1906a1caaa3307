import { readdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import { removeTree } from '../native/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import { bootId, processStartTime } from './boot.js'
import type { EngineContext } from './context.js'
import { sweepNetworks } from './network-state.js'
import { isAbandonedRemoval, removeContainer } from './remove.js'
import { startsAgain } from './restart-policy.js'
import { startOnce } from './start-once.js'

/** Who made an owned container: a file `owner` in its directory. */
export interface Owner {
  pid: number
  startTime: string
}

export const ownerIsGone = (owner: Owner): boolean => processStartTime(owner.pid) !== owner.startTime

/**
 * Removes what processes left that were killed: owned containers whose owner is gone, `--rm` ones whose supervisor died,
 * run directories and cgroups without a container, and the trash. What a restart policy wants to run is started again. What lives is never touched: a supervisor holds its lock
 * from before its first act.
 */
export async function sweep(context: EngineContext): Promise<void> {
  const { store, cgroups } = context
  const containers = new Map(store.all().map((config) => [config.id, config]))
  const booted = bootedSince(context)
  const again: ContainerConfig[] = []
  for (const config of containers.values()) {
    // The others need nothing, whatever became of them.
    const concerned =
      config.owned || config.autoRemove || config.removal !== undefined || config.restart.policy !== 'no'
    if (!concerned || store.isRunning(config.id)) continue
    if (config.removal === undefined && startsAgain(context, config, booted)) {
      again.push(config)
      continue
    }
    const dead = config.owned
      ? config.owner === undefined || ownerIsGone(config.owner)
      : config.autoRemove && store.wasStarted(config.id)
    if (config.removal?.error !== undefined || (!dead && !isAbandonedRemoval(config))) continue
    try {
      await removeContainer(context, config)
      containers.delete(config.id)
    } catch {
      // Its state is `dead` now, its error says why: no other command may fail for it.
    }
  }
  for (const id of cgroups.list({ parent: context.cgroupParent })) {
    if (store.isRunning(id) || containers.has(id)) continue
    const cgroup = cgroups.open(id, { parent: context.cgroupParent })
    await cgroup.kill()
    await cgroup.remove()
  }
  await sweepNetworks(context)
  await sweepRunDirectories(context, containers)
  await store.emptyTrash()
  await store.removeUnfinished(new Set(containers.keys()))
  await Promise.all(again.map((config) => startAgain(context, config)))
  if (booted) noteBoot(context)
}

async function sweepRunDirectories(
  { store, runRoot }: EngineContext,
  known: ReadonlyMap<string, unknown>,
): Promise<void> {
  const ids = readdirSync(runRoot).filter((id) => /^[0-9a-f]{64}$/.test(id) && !known.has(id) && !store.isRunning(id))
  if (ids.length === 0) return
  // A supervisor of another process that is about to take its lock has its name already.
  const claimed = store.claimed()
  for (const id of ids) {
    if (claimed.has(id) || store.isRunning(id) || store.load(id) !== undefined) continue
    await removeTree(`${runRoot}/${id}`)
  }
}

/** Starts what lost its supervisor. A failure is in its record: it must not keep others from their work. */
async function startAgain(context: EngineContext, config: ContainerConfig): Promise<void> {
  const { store, cgroups } = context
  try {
    const cgroup = cgroups.open(config.id, { parent: config.cgroupParent ?? context.cgroupParent })
    if (cgroup.exists()) {
      await cgroup.kill()
      await cgroup.remove()
    }
    const started = await startOnce(context, config, {})
    started?.supervised.release()
  } catch (error) {
    if (store.isRunning(config.id)) return
    const now = Date.now()
    const { restartCount = 0 } = store.exitRecord(config.id) ?? {}
    const lost = { exitCode: 128, signal: 0, oomKilled: false, startedAt: 0, finishedAt: now, restartCount }
    store.saveExit(config.id, { ...lost, error: (error as Error).message })
  }
}

const bootFile = (context: EngineContext): string => `${context.root}/boot`

/** Whether this is the first look at the data root since the machine was started. */
function bootedSince(context: EngineContext): boolean {
  try {
    return readFileSync(bootFile(context), 'utf8') !== bootId()
  } catch {
    return true
  }
}

/** Afterwards, so that a crash in between leaves the rest to the next. */
function noteBoot(context: EngineContext): void {
  const temporary = `${bootFile(context)}.${process.pid}`
  writeFileSync(temporary, bootId(), { mode: 0o600 })
  renameSync(temporary, bootFile(context))
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
