import { readFileSync } from 'node:fs'
import type { Cgroup } from '../cgroups/index.js'
import type { ContainerConfig, ContainerMount, ContainerRecords, ExitInfo } from '../runtime/index.js'
import { bootId } from './boot.js'
import type { EngineContext } from './context.js'
import { readHealth } from './health.js'
import { networkNames, portSummary } from './inspect-network.js'
import { signalName } from './signals.js'
import type { ContainerState, ContainerSummary, ExitStatus } from './types.js'

/** A container's state as the disk and the kernel have it at this moment. */
export interface Snapshot {
  state: ContainerState
  pid: number
  startedAt: number | null
  finishedAt: number | null
  exit: ExitStatus | null
  restartCount: number
  /** Why its last start, or its removal, failed. */
  error: string
}

/** A container whose supervisor was killed, or that the end of the machine took along, has no exit record. */
function lostExit(started: string): ExitStatus {
  let sameBoot = false
  try {
    // Empty: whoever started it was killed while noting so.
    sameBoot = ['', bootId()].includes(readFileSync(started, 'utf8'))
  } catch {
    // never started
  }
  return { exitCode: sameBoot ? 137 : 255, signal: sameBoot ? 'SIGKILL' : null, oomKilled: false }
}

function exitOf(record: ExitInfo): ExitStatus {
  return {
    exitCode: record.exitCode,
    signal: record.signal === 0 ? null : signalName(record.signal),
    oomKilled: record.oomKilled,
  }
}

/** What a removal that is under way, or has failed, makes of the state. */
function removalOf({ removal }: ContainerConfig): { state: ContainerState; error: string } | undefined {
  if (removal === undefined) return undefined
  return removal.error === undefined ? { state: 'removing', error: '' } : { state: 'dead', error: removal.error }
}

export function cgroupOf(context: EngineContext, config: ContainerConfig): Cgroup {
  return context.cgroups.open(config.id, { parent: config.cgroupParent ?? context.cgroupParent })
}

/** Whether its processes stand still, or are about to. */
export const isFrozen = (cgroup: Cgroup): boolean => cgroup.state() !== 'thawed'

function runningSnapshot(context: EngineContext, config: ContainerConfig): Snapshot {
  const run = context.store.runRecord(config.id)
  return {
    state: run !== undefined && isFrozen(cgroupOf(context, config)) ? 'paused' : 'running',
    pid: run?.pid ?? 0,
    startedAt: run?.startedAt ?? null,
    finishedAt: null,
    exit: null,
    restartCount: run?.restartCount ?? 0,
    error: '',
  }
}

/** @param known what was read of the container's directory already */
export function snapshotOf(
  context: EngineContext,
  config: ContainerConfig,
  known?: Omit<ContainerRecords, 'config'>,
): Snapshot {
  const { store } = context
  // A supervisor writes the exit record before it cleans up: until then the lock alone says nothing.
  let record = known === undefined ? store.exitRecord(config.id) : known.exit
  if (record === undefined && (known?.running ?? store.isRunning(config.id))) return runningSnapshot(context, config)
  // It may have ended between the two questions, or begun again.
  const started = known?.started ?? store.wasStarted(config.id)
  if (record === undefined && started) record = store.exitRecord(config.id)
  if (record === undefined && started && known !== undefined && store.isRunning(config.id)) {
    return runningSnapshot(context, config)
  }
  if (record !== undefined) {
    const restarting = record.restarting === true && store.isRunning(config.id)
    return {
      state: removalOf(config)?.state ?? (restarting ? 'restarting' : record.finishedAt === 0 ? 'created' : 'exited'),
      pid: 0,
      startedAt: record.startedAt || null,
      finishedAt: record.finishedAt || null,
      exit: exitOf(record),
      restartCount: record.restartCount ?? 0,
      error: removalOf(config)?.error ?? record.error ?? '',
    }
  }
  const nothing = { pid: 0, startedAt: null, finishedAt: null, restartCount: 0, error: '', ...removalOf(config) }
  if (!started) return { state: 'created', exit: null, ...nothing }
  return { state: 'exited', exit: lostExit(store.places.of(config.id).started), ...nothing }
}

const isUp = (state: ContainerState): boolean => state === 'running' || state === 'paused'

export function summaryOf(
  context: EngineContext,
  config: ContainerConfig,
  known?: Omit<ContainerRecords, 'config'>,
): ContainerSummary {
  const snapshot = snapshotOf(context, config, known)
  return {
    id: config.id,
    name: config.name,
    image: config.image,
    imageId: config.imageId,
    command: [...config.entrypoint, ...config.command],
    createdAt: config.createdAt,
    state: snapshot.state,
    startedAt: snapshot.startedAt,
    finishedAt: snapshot.finishedAt,
    exitCode: snapshot.exit?.exitCode ?? null,
    health: isUp(snapshot.state) ? (readHealth(context, config)?.status ?? null) : null,
    restartCount: snapshot.restartCount,
    labels: { ...config.labels },
    pid: snapshot.pid,
    mounts: config.mounts.map(mountName),
    mountTargets: config.mounts.map(({ target }) => target),
    localVolumes: config.mounts.filter(({ type }) => type === 'volume').length,
    networks: networkNames(context, config),
    ports: portSummary(context, config, isUp(snapshot.state)),
  }
}

/** What `ps` shows of a mount. */
function mountName(mount: ContainerMount): string {
  if (mount.type === 'volume') return mount.name
  return mount.type === 'tmpfs' ? '' : mount.source
}
