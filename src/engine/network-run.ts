/** A container's part in its networks: what is planned for its start, and for its lives after a change. */
import { JubakoError } from '../errors/index.js'
import { randomHex, type Step } from '../native/index.js'
import {
  bridgeOptions,
  type Endpoint,
  type EndpointConfig,
  formatAddress,
  linkSteps,
  macOf,
  type NetworkConfig,
  nameSteps,
  type PortBinding,
  type Published,
  parseAddress,
  poolsOf,
  publishedPorts,
  type RunNetwork,
  releaseSteps,
  reserveSteps,
  resolveInStep,
  resolverSteps,
  routeSteps,
} from '../network/index.js'
import { type ContainerConfig, ownsNetwork } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { hostResolvers, hostsText, resolvConfText } from './files.js'
import { giveBack, newOwner, portsPath, releaseLeftovers, runPath } from './network-state.js'

export interface NetworkPlan {
  host: Step[]
  beside: Step[]
  exit: Step[]
  run: RunNetwork
  /** Gives the addresses back when nothing was started. */
  abandon(): void
}

/** Names of a container in the name service of a network, the first for reverse look-ups. */
function namesOf(config: ContainerConfig, network: NetworkConfig, aliases: readonly string[]): string[] {
  if (network.name === 'bridge') return []
  const all = [config.name, ...aliases, config.id.slice(0, 12), config.hostname]
  return [...new Set(all.map((name) => name.toLowerCase()))].filter(
    (name) => /^[^./][^/]*$/.test(name) && name.length < 254,
  )
}

/** Takes addresses for a container in a network. */
export function makeEndpoint(
  context: EngineContext,
  config: ContainerConfig,
  wanted: EndpointConfig,
  network: NetworkConfig,
  position: number,
): Endpoint {
  const { store } = context.networks
  const owner = newOwner(config.id)
  const taken: string[] = []
  try {
    const take = (family: 4 | 6, address: string | undefined) => {
      const pools = poolsOf(network, family)
      if (pools.length === 0) {
        if (address === undefined) return null
        throw new JubakoError(
          'ERR_JUBAKO_INVALID_ARGUMENT',
          `invalid config for network ${network.name}: invalid endpoint settings:\nno configured subnet contains IP address ${address}`,
        )
      }
      const given = store.takeAddress(network, pools, owner, address)
      taken.push(given.address)
      return {
        address: given.address,
        prefix: given.pool.subnet.prefix,
        gateway: formatAddress(given.pool.gateway),
      }
    }
    const ipv4 = take(4, wanted.ipv4)
    const ipv6 = take(6, wanted.ipv6)
    const first = ipv4 ?? ipv6
    const prefix =
      wanted.driverOpts['com.docker.network.endpoint.ifname'] ??
      `${network.options[bridgeOptions.prefix] ?? 'eth'}${position}`
    return {
      id: randomHex(32),
      network: network.id,
      networkName: network.name,
      interface: prefix,
      veth: network.driver === 'bridge' ? `veth${randomHex(4).slice(0, 7)}` : '',
      ipv4,
      ipv6,
      mac: wanted.mac ?? macOf(parseAddress(first!.address)!),
      aliases: wanted.aliases,
      names: namesOf(config, network, wanted.aliases),
      links: wanted.links,
      gwPriority: wanted.gwPriority,
      driverOpts: wanted.driverOpts,
      owner,
    }
  } catch (error) {
    for (const address of taken) store.giveBack(network.id, address, owner)
    throw error
  }
}

/** All ports that a container publishes: those asked for, and with `-P` the declared ones. */
function bindings(config: ContainerConfig): PortBinding[] {
  const asked = config.ports ?? []
  if (!config.publishAll) return asked
  const has = new Set(asked.map(({ port, protocol }) => `${port}/${protocol}`))
  return [
    ...asked,
    ...config.exposedPorts
      .filter((key) => !has.has(key))
      .map((key): PortBinding => {
        const [port, protocol] = key.split('/')
        return {
          port: Number(port),
          protocol: (protocol ?? 'tcp') as 'tcp',
          hostAddress: '',
          hostPort: 0,
          hostPortEnd: 0,
        }
      }),
  ]
}

export interface NetworkPart {
  network: NetworkConfig
  endpoint: Endpoint
}

/**
 * Publishes through the network that has the default route.
 *
 * @param before as it was published: the numbers on the host stay, whatever network it is now
 */
export function publish(
  config: ContainerConfig,
  parts: readonly NetworkPart[],
  before: readonly Published[] = [],
): Published[] {
  const way = [...parts]
    .filter(({ network }) => network.driver === 'bridge' && !network.internal)
    .sort((a, b) => b.endpoint.gwPriority - a.endpoint.gwPriority || (a.network.name < b.network.name ? -1 : 1))[0]
  if (before.length > 0) return before.map((one) => ({ ...one, network: way?.network.id ?? '' }))
  if (way === undefined) return []
  const { network, endpoint } = way
  const all = network.options[bridgeOptions.hostBinding] || '0.0.0.0'
  return bindings(config)
    .flatMap((binding): Published[] => {
      const wanted =
        binding.hostAddress === '' ? [all, ...(endpoint.ipv6 === null ? [] : ['::'])] : [binding.hostAddress]
      const addresses = wanted.filter((text) => (text.includes(':') ? endpoint.ipv6 : endpoint.ipv4) !== null)
      if (addresses.length === 0) return []
      return [{ ...binding, addresses, network: network.id, reservation: 0 }]
    })
    .map((published, reservation) => ({ ...published, reservation }))
}

function linkZone(
  context: EngineContext,
  config: ContainerConfig,
  endpoint: Endpoint,
): { make: Step[]; undo: Step[]; has: boolean } {
  const directory = `${context.store.places.of(config.id).run}/links`
  const zone = context.networks.store.zone(endpoint.network)
  if (endpoint.links.length === 0 || endpoint.names.length === 0) return { make: [], undo: [], has: false }
  const pairs = endpoint.links.map((link) => {
    const [target = '', alias = target] = link.split(':')
    return [target.replace(/^\//, '').toLowerCase(), alias.toLowerCase()] as const
  })
  return {
    has: true,
    make: [
      ['mkdir', directory, 0o700, true],
      ...pairs.map(([target, alias]): Step => ['network-name', `${directory}/names`, alias, `${zone}/names/${target}`]),
    ],
    undo: [...pairs.map(([, alias]): Step => ['network-unname', `${directory}/names`, alias]), ['rmdir', directory]],
  }
}

/** Steps that give a container an endpoint, and those that take all of it away again. */
export function endpointSteps(
  context: EngineContext,
  config: ContainerConfig,
  network: NetworkConfig,
  endpoint: Endpoint,
  published: readonly Published[],
): { make: Step[]; undo: Step[] } {
  const { store, firewall } = context.networks
  const ports = publishedPorts(published, endpoint)
  const links = linkZone(context, config, endpoint)
  return {
    make: [...linkSteps(network, endpoint), ...firewall.publish(ports), ...nameSteps(store, endpoint), ...links.make],
    undo: [...releaseSteps(store, endpoint, firewall.unpublish(ports)), ...links.undo],
  }
}

/** Steps of the name service, for containers in a network that has one. */
export function resolverOf(
  context: EngineContext,
  config: ContainerConfig,
  networks: readonly NetworkConfig[],
): Step[] {
  const zones = networks.filter((network) => network.name !== 'bridge')
  if (zones.length === 0 && !needsForwarder(config)) return []
  const loopback = /^(127\.|::1$)/
  const own = config.dns.length > 0
  const servers = own
    ? {
        inside: config.dns.filter((one) => !loopback.test(one)),
        outside: config.dns.filter((one) => loopback.test(one)),
      }
    : { inside: [], outside: hostResolvers() }
  const links: Step[] = config.endpoints?.some(({ links: all }) => all.length > 0)
    ? [['resolve-in', `${context.store.places.of(config.id).run}/links`, '', false]]
    : []
  // In the default network there are no names to answer for, only questions to pass on.
  const forward: Step[] =
    zones.length === 0 ? [['resolve-in', `${context.store.places.of(config.id).run}/links`, '', true]] : []
  return [
    ...resolverSteps(context.networks.firewall, servers),
    ...links,
    ...zones.map((network) => resolveInStep(context.networks.store, network)),
    ...forward,
  ]
}

/** A resolver of the host at a loopback address cannot be reached from a container: its questions are passed on. */
export function needsForwarder(config: ContainerConfig): boolean {
  return (
    config.dns.length === 0 && hostResolvers().length > 0 && hostResolvers().every((one) => /^(127\.|::1$)/.test(one))
  )
}

/** The supervisor makes rules again that were taken away; without bridges it need not listen. */
function healSteps(context: EngineContext, parts: readonly NetworkPart[], published: readonly Published[]): Step[] {
  const bridges = parts.filter(({ network }) => network.driver === 'bridge')
  if (bridges.length === 0) return [['network-heal', '', '', new Uint8Array(0)]]
  const { firewall } = context.networks
  return firewall.heal(bridges.flatMap(({ endpoint }) => firewall.publish(publishedPorts(published, endpoint))))
}

/** All that connects a container in one of its lives, and what takes it out of its networks when all is over. */
export function lifeSteps(
  context: EngineContext,
  config: ContainerConfig,
  parts: readonly NetworkPart[],
  published: readonly Published[],
): { beside: Step[]; resolver: Step[]; heal: Step[]; end: Step[] } {
  const each = parts.map(({ network, endpoint }) => endpointSteps(context, config, network, endpoint, published))
  const resolver = resolverOf(
    context,
    config,
    parts.map(({ network }) => network),
  )
  const heal = healSteps(context, parts, published)
  return {
    beside: [...each.flatMap(({ make }) => make), ...routeSteps(parts, false), ...resolver, ...heal],
    resolver,
    heal,
    end: each.flatMap(({ undo }) => undo),
  }
}

/**
 * Decides a container's part in its networks, and takes the addresses.
 *
 * @throws JubakoError when a network is gone, an address is taken, or this machine cannot have bridges
 */
export async function planNetwork(context: EngineContext, config: ContainerConfig): Promise<NetworkPlan | undefined> {
  const wanted = config.endpoints ?? []
  if (!ownsNetwork(config) || wanted.length === 0) return undefined
  const { networks, store } = context
  await releaseLeftovers(context, config.id)
  const parts: NetworkPart[] = []
  const abandon = () => {
    for (const { endpoint } of parts) giveBack(context, endpoint)
  }
  try {
    for (const [at, one] of wanted.entries()) {
      const network = networks.store.load(one.network)
      if (network === undefined) {
        throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `network ${one.network} not found`, {
          hint: 'it was removed; make the container anew',
        })
      }
      await networks.ensure(network)
      parts.push({ network, endpoint: makeEndpoint(context, config, one, network, at) })
    }
    const published = publish(config, parts)
    const run: RunNetwork = { endpoints: parts.map(({ endpoint }) => endpoint), published }
    const paths = store.places.of(config.id)
    const { beside, resolver, end } = lifeSteps(context, config, parts, published)
    return {
      run,
      abandon,
      host: [
        ['write-file', runPath(context, config.id), 0o600, Buffer.from(`${JSON.stringify(run)}\n`)],
        ['write-file', paths.hosts, 0o644, Buffer.from(hostsText(context, config, run))],
        ...resolvConfText(context, config, resolver.length > 0).map(
          (text): Step => ['write-file', paths.resolvConf, 0o644, Buffer.from(text)],
        ),
        ...reserveSteps(published, portsPath(context, config.id)),
      ],
      beside: [['networks'], ...beside, ['networks-end']],
      exit: [...end, ['unlink', portsPath(context, config.id)], ['unlink', runPath(context, config.id)]],
    }
  } catch (error) {
    abandon()
    throw error
  }
}
