/** Connecting running and stopped containers with networks, and the reverse. */
import { renameSync, writeFileSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import type { Step } from '../native/index.js'
import {
  type Endpoint,
  type NetworkConfig,
  publishedPorts,
  type RunNetwork,
  reserveSteps,
  routeSteps,
  unlinkSteps,
} from '../network/index.js'
import { type ContainerConfig, ownsNetwork, runSteps } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { hostsText, resolvConfText } from './files.js'
import { endpointOf } from './network-config.js'
import { endpointSteps, lifeSteps, makeEndpoint, type NetworkPart, publish } from './network-run.js'
import { giveBack, portsPath, runNetwork, runPath } from './network-state.js'
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
      giveBack(context, endpoint)
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

function partsOf(context: EngineContext, run: RunNetwork): NetworkPart[] {
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
  const endpoints = [...before.endpoints, endpoint]
  const parts = partsOf(context, { ...before, endpoints })
  const run = { endpoints, published: publish(after, parts, before.published) }
  const { make, undo } = endpointSteps(context, config, network, endpoint, [])
  // Nothing was published before when no network could.
  const reserve = before.published.length === 0 ? reserveSteps(run.published, portsPath(context, config.id)) : []
  const [there, back] = [movePorts(context, before, run), movePorts(context, run, before)]
  await change(context, after, run, [...reserve, ...make, ...there], [...back, ...unlinkSteps(endpoint), ...undo])
}

/** Published ports lead through the network with the default route: perhaps another one now. */
function movePorts(context: EngineContext, from: RunNetwork, to: RunNetwork): Step[] {
  if (from.published[0]?.network === to.published[0]?.network) return []
  const { firewall } = context.networks
  const ports = ({ endpoints, published }: RunNetwork) => endpoints.flatMap((one) => publishedPorts(published, one))
  return [...firewall.unpublish(ports(from)), ...firewall.publish(ports(to))]
}

/** Has the supervisor do it now, and know what is to be in the container's later lives and at its end. */
async function change(
  context: EngineContext,
  config: ContainerConfig,
  run: RunNetwork,
  act: readonly Step[],
  reverse: readonly Step[],
): Promise<void> {
  const { socket } = context.store.places.of(config.id)
  const parts = partsOf(context, run)
  const { beside, resolver, heal, end } = lifeSteps(context, config, parts, run.published)
  const files = fileSteps(context, config, run, resolver.length > 0)
  const now = [...act, ...routeSteps(parts, true), ...resolver, ...files, ...heal]
  const what = `cannot change the networks of container ${config.name}`
  await runSteps(socket, { now, reverse, later: beside, end }, what)
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
    const endpoints = run.endpoints.filter((one) => one !== endpoint)
    const after = { endpoints, published: publish(remaining, partsOf(context, { ...run, endpoints }), run.published) }
    const { undo } = endpointSteps(context, config, network, endpoint, [])
    const zone = context.networks.store.zone(network.id)
    const act: Step[] = [...movePorts(context, run, after), ...undo, ...unlinkSteps(endpoint), ['resolve-not', zone]]
    await change(context, remaining, after, act, [])
  }
  context.store.save(remaining)
  connectionEvent(context, network, config, 'disconnect')
}

/** Tells that a container that was started is in its networks. */
export function announceNetworks(context: EngineContext, config: ContainerConfig, run: RunNetwork): void {
  for (const { network } of partsOf(context, run)) connectionEvent(context, network, config, 'connect')
}
