import type { Readable, Writable } from 'node:stream'
import { setImmediate as immediate } from 'node:timers/promises'
import type { CgroupPlan } from '../cgroups/index.js'
import { isJubakoError } from '../errors/index.js'
import { AttachMask, closeFd, type StreamPlan } from '../native/index.js'
import { allowAllDevices, defaultDeviceRules, parseDeviceCgroupRule } from '../oci/devices.js'
import {
  type Beginning,
  type ContainerConfig,
  type ExitInfo,
  type HostDevice,
  hostDevices,
  planContainer,
  planPreparation,
  type Supervised,
  startSupervised,
  type VolumeRelease,
} from '../runtime/index.js'
import { bootId } from './boot.js'
import type { EngineContext } from './context.js'
import { healthPlan } from './health.js'
import { readHost } from './host.js'
import { joinFlags, openJoins } from './joins.js'
import { Launch, shapeOf } from './launch.js'
import { withLinks } from './link-environment.js'
import { mountSources } from './mount-sources.js'
import { announceNetworks } from './network-connect.js'
import { networkError } from './network-error.js'
import { type NetworkPlan, planNetwork } from './network-run.js'
import { beginRoot, rootOf } from './root.js'
import { signalNumber } from './signals.js'
import type { AttachOptions, StartOptions } from './types.js'

/** A started container and this process's ends of its standard streams. */
export interface Started {
  supervised: Supervised
  stdin: Writable | null
  stdout: Readable | null
  stderr: Readable | null
}

export function attachMask(options: AttachOptions | undefined, stdinOpen: boolean, tty: boolean): number {
  if (options === undefined) return 0
  return (
    ((options.stdin ?? stdinOpen) && stdinOpen ? AttachMask.stdin : 0) |
    ((options.stdout ?? true) ? AttachMask.stdout : 0) |
    (!tty && (options.stderr ?? true) ? AttachMask.stderr : 0)
  )
}

export function supervisedStreams(config: { tty: boolean; stdin: boolean }): [StreamPlan, StreamPlan, StreamPlan] {
  if (config.tty) return [{ kind: 'pty' }, { kind: 'pty' }, { kind: 'pty' }]
  return [{ kind: config.stdin ? 'pipe' : 'null' }, { kind: 'pipe' }, { kind: 'pipe' }]
}

function volumeReleases(context: EngineContext, config: ContainerConfig): VolumeRelease[] {
  return config.mounts.flatMap((mount) =>
    mount.type === 'volume'
      ? [
          {
            directory: `${context.volumes.directory}/${mount.name}`,
            trash: mount.anonymous ? context.volumes.trashOf(mount.name) : null,
          },
        ]
      : [],
  )
}

function tellMounts(context: EngineContext, config: ContainerConfig): void {
  for (const mount of config.mounts) {
    if (mount.type !== 'volume') continue
    const attributes = {
      container: config.id,
      destination: mount.target,
      driver: 'local',
      propagation: '',
      'read/write': String(!mount.readonly),
    }
    context.events.emit({ type: 'volume', action: 'mount', actor: { id: mount.name, attributes } })
  }
}

/** The state stays what it was; the exit code and why it could not start are told by `inspect`, as docker has it. */
function noteFailure(
  context: EngineContext,
  config: ContainerConfig,
  before: ExitInfo | undefined,
  error: unknown,
): void {
  const code = isJubakoError(error) ? error.code : ''
  const exitCode =
    code === 'ERR_JUBAKO_COMMAND_NOT_FOUND' ? 127 : code === 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE' ? 126 : 128
  const { startedAt = 0, finishedAt = 0, restartCount = 0 } = before ?? {}
  const record = { exitCode, signal: 0, oomKilled: false, startedAt, finishedAt, restartCount }
  try {
    context.store.saveExit(config.id, { ...record, error: (error as Error).message })
  } catch {
    // With `--rm` it is gone already.
  }
}

function planCgroup(context: EngineContext, config: ContainerConfig, devices: readonly HostDevice[]): CgroupPlan {
  const rules = config.privileged
    ? [allowAllDevices]
    : [
        ...defaultDeviceRules,
        ...devices.map(({ rule }) => rule),
        ...config.deviceCgroupRules.map(parseDeviceCgroupRule),
      ]
  const plan = context.cgroups.plan(config.id, config.resources, rules, {
    parent: config.cgroupParent ?? context.cgroupParent,
  })
  for (const path of plan.parents) context.cgroupParents.add(path)
  return plan
}

/**
 * Notes on the disk that it was started.
 *
 * @returns whether it was for the first time
 */
function noteStart({ store }: EngineContext, { id, owned }: ContainerConfig): boolean {
  if (owned) return false
  const first = !store.wasStarted(id)
  store.markStarted(id, bootId())
  if (store.wasStopped(id)) store.clearStopped(id)
  return first
}

/**
 * Makes the plan of a container's first process and carries it out.
 *
 * @param beginning of an owned container that has nothing but its name yet: its supervisor makes its directory, and its
 * record is written while it is set up. Nobody else needs it before: if this process ends, so does the container.
 */
export async function startContainer(
  context: EngineContext,
  config: ContainerConfig,
  options: StartOptions,
  early: Launch | undefined,
  beginning: Beginning | undefined,
): Promise<Started> {
  const { store } = context
  const paths = store.places.of(config.id)
  const joins = await openJoins(context, config)
  const shape = shapeOf(config)
  let launch = early
  // A name may stand for the host's network: then there must be none of its own.
  if (launch !== undefined && launch.namespaces & ~shape.namespaces) {
    await launch.abandon()
    launch = undefined
  }
  launch ??= joins.length > 0 ? new Launch(shape, config.id, joins) : context.spares.take(shape, config.id)
  const { pipes } = launch
  let firstStart = false
  let before: ExitInfo | undefined
  let network: NetworkPlan | undefined
  try {
    const removal = config.autoRemove
      ? { trash: store.trashOf(config.id), names: store.places.names, volumes: volumeReleases(context, config) }
      : null
    // The supervisor takes the record away.
    if (!config.owned) before = store.exitRecord(config.id)
    if (beginning !== undefined && !launch.hasRoot) {
      beginRoot(context, config, beginning.rootMode, config.mounts, launch)
    }
    const { namespaces } = launch
    const preparation = planPreparation({ config, paths, removal, namespaces }, beginning)
    launch.init.prepare(context.alterPreparation?.(preparation.act) ?? preparation.act, preparation.undo)
    // What is decided here and what is encoded below are each a good part of a millisecond: others have their turn.
    await immediate()
    const sources = await mountSources(context, config)
    const devices = hostDevices(config)
    network = await planNetwork(context, config)
    const plan = planContainer({
      config: withLinks(context, config),
      paths,
      root: rootOf(context, config),
      cgroup: planCgroup(context, config, devices),
      sources,
      devices,
      host: readHost(),
      streams: pipes?.streams ?? supervisedStreams(config),
      attachMask: attachMask(config.owned ? (config.tty ? {} : undefined) : options.attach, config.stdin, config.tty),
      rows: options.rows ?? 0,
      columns: options.columns ?? 0,
      joins: joins.map(({ kind, mode }, i) => ({ index: launch.firstJoin + i, flags: joinFlags[kind], what: mode })),
      removal,
      created: beginning !== undefined,
      events: context.events.planOf(config),
      stopSignal: signalNumber(config.stopSignal),
      health: healthPlan(context, config),
      network,
      alter: context.alterPlan,
    })
    firstStart = noteStart(context, config)
    const starting = startSupervised(launch.init, plan, `cannot start container ${config.name}`)
    const recorded = beginning === undefined || store.saveStarted(config)
    const [supervised, ends] = await Promise.all([starting, launch.init.spawned.then(() => pipes?.take())])
    // The supervisor may have been slower than its plan; by now the directory was made.
    if (!recorded) store.saveStarted(config)
    context.spares.follow(launch, supervised.exit)
    if (network !== undefined) announceNetworks(context, config, network.run)
    tellMounts(context, config)
    return { supervised, ...(ends ?? supervised.streams) }
  } catch (error) {
    await launch.abandon()
    network?.abandon()
    const reason = networkError(context, config, network?.run, error)
    if (!config.owned && !store.isRunning(config.id)) {
      // As docker has it: what could not start is still `created`.
      if (firstStart) store.clearStarted(config.id)
      noteFailure(context, config, before, reason)
    }
    throw reason
  } finally {
    for (const { fd } of joins) closeFd(fd)
  }
}
