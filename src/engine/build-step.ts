import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs'
import type { FailedStep, StepCache, StepMount, StepRequest, StepResult } from '../builder/index.js'
import type { ResolvedImage } from '../images/index.js'
import type { ProcessPlan, Step } from '../native/index.js'
import { hostPlatform, type ImageId } from '../oci/index.js'
import { ContainerHandle } from './container.js'
import type { EngineContext } from './context.js'
import { managedFiles } from './files.js'
import { mergeConfig, newId } from './merge.js'
import { networkOf } from './network-config.js'
import type { Container, CreateOptions } from './types.js'

const READONLY = 1

/** Places that every container is given, and that leave stubs in its layer when the image has none. */
const SYSTEM_TARGETS = ['/dev', '/proc', '/sys', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf']

/**
 * Runs a RUN step: an owned container whose writable layer is the step's. It is removed with everything but that layer
 * before this resolves.
 */
export async function runStep(context: EngineContext, request: StepRequest): Promise<StepResult> {
  const id = newId()
  const layers = request.layers.length > 0 ? request.layers : [emptyLayer(context)]
  const options = createOptions(request)
  const network = await networkOf(context, options)
  const config = mergeConfig(baseOf(request, layers), request.command, options, {
    mounts: [],
    network,
    id,
    name: `build-${id.slice(0, 12)}`,
    reference: '',
    root: context.root,
    owned: true,
    autoRemove: true,
  })
  config.workdir = request.workdir
  context.cgroups.check(config.resources)
  const { store } = context
  adoptRoot(request, layers)
  store.create(config, { files: managedFiles(context, config), rootMode: 0o755 })
  const scratch = `${store.places.of(id).directory}/scratch`
  mkdirSync(scratch, { mode: 0o700 })
  const stepContext: EngineContext = Object.create(context, {
    alterPlan: { value: (plan: ProcessPlan) => alter(context, plan, request, layers, scratch) },
  })
  const container = new ContainerHandle(stepContext, config)
  try {
    await container.start({ signal: request.signal })
    const streams = [
      ['stdout', container.stdout],
      ['stderr', container.stderr],
    ] as const
    const read = streams.map(async ([name, stream]) => {
      if (stream === null) return
      for await (const chunk of stream) request.onOutput(name, chunk as Buffer)
    })
    const [status] = await Promise.all([container.wait(), ...read])
    return { exitCode: status.exitCode, oomKilled: status.oomKilled }
  } finally {
    await container.close()
  }
}

/** A container on the files of a failed step. What is changed in it goes with it. */
export async function openShell(
  context: EngineContext,
  kept: NonNullable<FailedStep['kept']>,
  use: (container: Container) => Promise<void>,
  cache: StepCache,
): Promise<void> {
  const id = newId()
  const options: CreateOptions = { tty: true, stdin: true, entrypoint: [] }
  const network = await networkOf(context, options)
  const config = mergeConfig(baseOf(kept, kept.layers), ['/bin/sh'], options, {
    id,
    name: `build-${id.slice(0, 12)}`,
    mounts: [],
    network,
    reference: '',
    root: context.root,
    owned: true,
    autoRemove: true,
  })
  config.workdir = kept.workdir
  context.store.create(config, { files: managedFiles(context, config), rootMode: 0o755 })
  const container = new ContainerHandle(context, config)
  try {
    await container.start()
    await use(container)
  } finally {
    await container.close()
    await cache.sweep()
  }
}

function emptyLayer(context: EngineContext): string {
  const path = `${context.root}/build/empty`
  mkdirSync(path, { recursive: true, mode: 0o755 })
  return path
}

/** The writable layer's root is the container's root directory. */
function adoptRoot({ upper }: StepRequest, layers: readonly string[]): void {
  const { mode, uid, gid } = statSync(layers[0]!)
  chmodSync(upper, mode & 0o7777)
  chownSync(upper, uid, gid)
}

/** What the merge of options needs of an image. */
function baseOf(request: Pick<StepRequest, 'env' | 'user' | 'workdir'>, layers: readonly string[]): ResolvedImage {
  return {
    id: '' as ImageId,
    reference: null,
    config: {
      platform: hostPlatform(),
      config: { Env: request.env, User: request.user, WorkingDir: request.workdir },
      diffIds: [],
      history: [],
    },
    manifest: '' as ResolvedImage['manifest'],
    layers,
    chainIds: [],
    diffIds: [],
    platform: hostPlatform(),
  }
}

function createOptions(request: StepRequest): CreateOptions {
  const { network: given, ...limits } = request.limits
  const wanted = request.network === 'default' ? (given ?? 'default') : request.network
  return {
    ...limits,
    entrypoint: [],
    ...(request.hostname !== undefined && wanted !== 'host' && { hostname: request.hostname }),
    ...(wanted !== 'default' && { network: wanted }),
    privileged: request.privileged,
    devices: request.devices.map((device) => {
      const [hostPath = '', containerPath, permissions] = device.split(':')
      return { hostPath, ...(containerPath && { containerPath }), ...(permissions && { permissions }) }
    }),
  }
}

/** Puts the step's own writable layer and mounts into the plan of a container. */
function alter(
  context: EngineContext,
  plan: ProcessPlan,
  request: StepRequest,
  layers: readonly string[],
  scratch: string,
): ProcessPlan {
  const targets = [...SYSTEM_TARGETS, ...request.mounts.map(({ target }) => target)]
  const stubs: Step = ['clean-stubs', request.upper, layers, targets]
  const child = plan.child.flatMap((step): Step[] => {
    if (step[0] === 'root-overlay') {
      const [name, lowers, , , , ...rest] = step
      // Nothing of a step is worth syncing before it is known to be good; then all of it is.
      return [[name, lowers!, request.upper, request.work, ['volatile'], ...rest]]
    }
    // Before the session begins everything is mounted.
    if (step[0] === 'session') return [...request.mounts.map((mount) => mountStep(mount, scratch)), step]
    return [step]
  })
  const altered = { ...plan, child, exit: [stubs, ...plan.exit] }
  return context.alterPlan === undefined ? altered : context.alterPlan(altered)
}

function mountStep(mount: StepMount, scratch: string): Step {
  switch (mount.type) {
    case 'tree':
      return [
        'bind-in',
        mount.layers,
        mount.upper ?? '',
        mount.work ?? '',
        scratch,
        mount.path,
        mount.target,
        mount.readonly ? READONLY : 0,
      ]
    case 'directory':
      return ['bind-in', [mount.source], '', '', scratch, '', mount.target, mount.readonly ? READONLY : 0]
    case 'tmpfs': {
      const options = mount.size === undefined ? [] : [`size=${mount.size}`]
      return ['mount', 'tmpfs', 'tmpfs', mount.target, mount.readonly ? READONLY : 0, options, false]
    }
    case 'secret':
      return ['memory-file', scratch, mount.target, mount.value, mount.mode, mount.uid, mount.gid]
    case 'socket':
      return ['bind', mount.source, mount.target, false, 0, false, 0n]
  }
}
