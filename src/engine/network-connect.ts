/** Connecting running and stopped containers with networks, and the reverse. */
import { renameSync, writeFileSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import type { Step } from '../native/index.js'
import {
  addressesOf,
  type Endpoint,
  type NetworkConfig,
  type RunNetwork,
  routeSteps,
  unlinkSteps,
} from '../network/index.js'
import { type ContainerConfig, ownsNetwork, runSteps } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { hostsText, resolvConfText } from './files.js'
import { endpointOf } from './network-config.js'
import { endpointSteps, makeEndpoint, resolverOf, runNetwork, runPath } from './network-run.js'
import type { NetworkAttachment } from './network-types.js'

/** @throws JubakoError as docker does, for a network of the host or another container, or one it is in already */
export async function connectContainer(
  context: EngineContext,
  network: NetworkConfig,
  nameOrId: string,
  options: Omit<NetworkAttachment, 'name'>,
): Promise<void> {
  const config = context.store.find(nameOrId)
  if (config.network.startsWith('container:')) {
    throw new JubakoError(
      'ERR_JUBAKO_CONFLICT',
      'container sharing network namespace with another container or host cannot be connected to any other network',
    )
  }
  if (config.network === 'host') {
    throw new JubakoError(
      'ERR_JUBAKO_CONFLICT',
      'container cannot be disconnected from host network or connected to host network',
    )
  }
  if (config.network === 'none' && (config.endpoints ?? []).length === 0 && network.name !== 'none') {
    throw new JubakoError(
      'ERR_JUBAKO_CONFLICT',
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    )
  }
  const wanted = endpointOf(options, network)
  const endpoints = config.endpoints ?? []
  if (endpoints.some((endpoint) => endpoint.network === network.id)) {
    throw new JubakoError(
      'ERR_JUBAKO_CONFLICT',
      `endpoint with name ${config.name} already exists in network ${network.name}`,
    )
  }
  if (context.store.isRunning(config.id)) {
    await context.networks.ensure(network)
    const run = runNetwork(context, config.id) ?? { endpoints: [], published: [] }
    const endpoint = makeEndpoint(context, config, wanted, network, freePosition(run))
    try {
      await plug(context, config, network, endpoint, run, { ...config, endpoints: [...endpoints, wanted] })
    } catch (error) {
      for (const address of addressesOf(endpoint)) context.networks.store.giveBack(network.id, address, endpoint.owner)
      throw error
    }
  }
  context.store.save({ ...config, endpoints: [...endpoints, wanted] })
  connectionEvent(context, network, config, 'connect')
}

export function connectionEvent(
  context: EngineContext,
  network: NetworkConfig,
  config: ContainerConfig,
  action: string,
): void {
  const attributes = { container: config.id, name: network.name, type: network.driver }
  context.events.emit({ type: 'network', action, actor: { id: network.id, attributes } })
}

/** The first number that no link of the container has. */
function freePosition(run: RunNetwork): number {
  const used = new Set(run.endpoints.map((endpoint) => Number(/(\d+)$/.exec(endpoint.interface)?.[1] ?? -1)))
  for (let at = 0; ; at++) if (!used.has(at)) return at
}

function partsOf(context: EngineContext, run: RunNetwork): { network: NetworkConfig; endpoint: Endpoint }[] {
  return run.endpoints.flatMap((endpoint) => {
    const network = context.networks.store.load(endpoint.network)
    return network === undefined ? [] : [{ network, endpoint }]
  })
}

async function plug(
  context: EngineContext,
  config: ContainerConfig,
  network: NetworkConfig,
  endpoint: Endpoint,
  before: RunNetwork,
  after: ContainerConfig,
): Promise<void> {
  const run = { ...before, endpoints: [...before.endpoints, endpoint] }
  const parts = partsOf(context, run)
  const { make, undo } = endpointSteps(context, config, network, endpoint, [])
  const resolver = resolverOf(
    context,
    after,
    parts.map((part) => part.network),
  )
  const files = fileSteps(context, config, run, resolver.length > 0)
  await send(
    context,
    config,
    [...make, ...routeSteps(parts, true), ...resolver, ...files],
    [...unlinkSteps(endpoint), ...undo],
  )
  writeRun(context, config.id, run)
}

function fileSteps(context: EngineContext, config: ContainerConfig, run: RunNetwork, service: boolean): Step[] {
  const paths = context.store.places.of(config.id)
  return [
    ['write-file', paths.hosts, 0o644, Buffer.from(hostsText(context, config, run))],
    ...resolvConfText(context, config, service).map(
      (text): Step => ['write-file', paths.resolvConf, 0o644, Buffer.from(text)],
    ),
  ]
}

function writeRun(context: EngineContext, id: string, run: RunNetwork): void {
  const path = runPath(context, id)
  writeFileSync(`${path}.tmp`, `${JSON.stringify(run)}\n`, { mode: 0o600 })
  renameSync(`${path}.tmp`, path)
}

async function send(
  context: EngineContext,
  config: ContainerConfig,
  act: readonly Step[],
  undo: readonly Step[],
): Promise<void> {
  const { socket } = context.store.places.of(config.id)
  await runSteps(socket, act, undo, `cannot change the networks of container ${config.name}`)
}

export async function disconnectContainer(
  context: EngineContext,
  network: NetworkConfig,
  nameOrId: string,
  force: boolean,
): Promise<void> {
  const config = context.store.find(nameOrId)
  if (!ownsNetwork(config) && config.network === 'host') {
    throw new JubakoError(
      'ERR_JUBAKO_CONFLICT',
      'container cannot be disconnected from host network or connected to host network',
    )
  }
  const endpoints = config.endpoints ?? []
  if (!endpoints.some((endpoint) => endpoint.network === network.id)) {
    if (force) return
    throw new JubakoError('ERR_JUBAKO_CONFLICT', `container ${config.id} is not connected to network ${network.name}`)
  }
  const remaining = { ...config, endpoints: endpoints.filter((endpoint) => endpoint.network !== network.id) }
  const run = context.store.isRunning(config.id) ? runNetwork(context, config.id) : undefined
  const endpoint = run?.endpoints.find((one) => one.network === network.id)
  if (run !== undefined && endpoint !== undefined) {
    const after = { ...run, endpoints: run.endpoints.filter((one) => one !== endpoint) }
    const { undo } = endpointSteps(context, config, network, endpoint, run.published)
    const parts = partsOf(context, after)
    const steps: Step[] = [
      ...undo,
      ...unlinkSteps(endpoint),
      ['resolve-not', context.networks.store.zone(network.id)],
      ...routeSteps(parts, true),
      ...fileSteps(context, remaining, after, true),
    ]
    await send(context, config, steps, [])
    writeRun(context, config.id, after)
  }
  context.store.save(remaining)
  connectionEvent(context, network, config, 'disconnect')
}

/** Tells that a container that was started is in its networks. */
export function announceNetworks(context: EngineContext, config: ContainerConfig, run: RunNetwork): void {
  for (const { network } of partsOf(context, run)) connectionEvent(context, network, config, 'connect')
}
