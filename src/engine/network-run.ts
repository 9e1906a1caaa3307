/** The networks of a running container: what is planned for its start, what others find of it, and what is left of it. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmdirSync, rmSync, unlinkSync } from 'node:fs'
import { JubakoError } from '../errors/index.js'
import { Netlink, netlink, type Step } from '../native/index.js'
import {
  addressesOf,
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
  publishSteps,
  type RunNetwork,
  releaseSteps,
  reserveSteps,
  resolveInStep,
  resolverSteps,
  routeSteps,
  unpublishSteps,
  unpublishTransactions,
} from '../network/index.js'
import { type ContainerConfig, ownsNetwork } from '../runtime/index.js'
import { processStartTime, thisStartTime } from './boot.js'
import type { EngineContext } from './context.js'
import { hostResolvers, hostsText, resolvConfText } from './files.js'

export interface NetworkPlan {
  host: Step[]
  beside: Step[]
  exit: Step[]
  run: RunNetwork
  /** Gives the addresses back when nothing was started. */
  abandon(): void
}

export const runPath = (context: EngineContext, id: string): string => `${context.store.places.of(id).run}/network.json`
export const portsPath = (context: EngineContext, id: string): string => `${context.store.places.of(id).run}/ports`

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch {
    return undefined
  }
}

/** What a started container has of networks; undefined when it has none. */
export const runNetwork = (context: EngineContext, id: string): RunNetwork | undefined => readJson(runPath(context, id))

/** Ports of the host by reservation. */
export const reservedPorts = (context: EngineContext, id: string): number[] => readJson(portsPath(context, id)) ?? []

/** Tells a holder of addresses from all others, and whether it can still be alive. */
function newOwner(id: string): string {
  return `${id} ${process.pid} ${thisStartTime()} ${randomBytes(4).toString('hex')}`
}

/** Whether neither the container nor who was about to start it lives. */
function isAbandoned(context: EngineContext, owner: string): boolean {
  const [id = '', pid = '', started = ''] = owner.split(' ')
  if (!/^[0-9a-f]{64}$/.test(id)) return true
  return !context.store.isRunning(id) && processStartTime(Number(pid)) !== started
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
      id: randomBytes(32).toString('hex'),
      network: network.id,
      networkName: network.name,
      interface: prefix,
      veth: network.driver === 'bridge' ? `veth${randomBytes(4).toString('hex').slice(0, 7)}` : '',
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

/** Publishes through the network that has the default route. */
function publish(
  config: ContainerConfig,
  parts: readonly { network: NetworkConfig; endpoint: Endpoint }[],
): Published[] {
  const way = [...parts]
    .filter(({ network }) => network.driver === 'bridge' && !network.internal)
    .sort((a, b) => b.endpoint.gwPriority - a.endpoint.gwPriority || (a.network.name < b.network.name ? -1 : 1))[0]
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
  const { store, table } = context.networks
  const ports = publishedPorts(published, endpoint)
  const links = linkZone(context, config, endpoint)
  return {
    make: [
      ...linkSteps(network, endpoint),
      ...publishSteps(table, ports),
      ...nameSteps(store, endpoint),
      ...links.make,
    ],
    undo: [...releaseSteps(store, endpoint, unpublishSteps(table, ports)), ...links.undo],
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
    ...resolverSteps(servers),
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
  const parts: { network: NetworkConfig; endpoint: Endpoint }[] = []
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
    const each = parts.map(({ network, endpoint }) => endpointSteps(context, config, network, endpoint, published))
    const resolver = resolverOf(
      context,
      config,
      parts.map(({ network }) => network),
    )
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
      beside: [...each.flatMap(({ make }) => make), ...routeSteps(parts, false), ...resolver],
      exit: [
        ...each.flatMap(({ undo }) => undo),
        ['unlink', portsPath(context, config.id)],
        ['unlink', runPath(context, config.id)],
      ],
    }
  } catch (error) {
    abandon()
    throw error
  }
}

function giveBack(context: EngineContext, endpoint: Endpoint): void {
  for (const address of addressesOf(endpoint))
    context.networks.store.giveBack(endpoint.network, address, endpoint.owner)
}

const E = { noent: 2, opnotsupp: 95 }

/** What a supervisor that was killed left of its container's networks, outside of the namespace that died with it. */
export async function releaseLeftovers(context: EngineContext, id: string): Promise<void> {
  const run = runNetwork(context, id)
  if (run === undefined) return
  const { store, table } = context.networks
  const ports = reservedPorts(context, id)
  for (const endpoint of run.endpoints) {
    const [first] = addressesOf(endpoint)
    if (first === undefined || store.addresses(endpoint.network).get(first) !== endpoint.owner) continue
    for (const transaction of unpublishTransactions(
      table,
      publishedPorts(
        run.published.filter(({ reservation }) => ports[reservation] !== undefined),
        endpoint,
        ports,
      ),
    )) {
      netlink(Netlink.netfilter, `table ${table}`, transaction, [E.noent, E.opnotsupp])
    }
    removeNames(context, endpoint)
    giveBack(context, endpoint)
  }
  for (const path of [runPath(context, id), portsPath(context, id)]) rmSync(path, { force: true })
}

function removeNames(context: EngineContext, endpoint: Endpoint): void {
  const zone = context.networks.store.zone(endpoint.network)
  for (const address of addressesOf(endpoint)) {
    for (const name of endpoint.names) {
      ignoring(() => unlinkSync(`${zone}/names/${name}/${address}`))
      ignoring(() => rmdirSync(`${zone}/names/${name}`))
    }
    ignoring(() => unlinkSync(`${zone}/reverse/${address}`))
  }
}

function ignoring(act: () => void): void {
  try {
    act()
  } catch {
    // it is gone, or others use it
  }
}

/** Addresses whose container and whose taker are both dead. */
export async function sweepNetworks(context: EngineContext): Promise<void> {
  const { store } = context.networks
  for (const zone of store.zones()) {
    const owners = [...store.addresses(zone)]
    if (owners.length === 0) continue
    for (const [address, owner] of owners) {
      if (!isAbandoned(context, owner)) continue
      await releaseLeftovers(context, owner.slice(0, 64))
      store.giveBack(zone, address, owner)
    }
  }
}

/** All containers that run and have networks. */
export function runningNetworks(context: EngineContext): { config: ContainerConfig; run: RunNetwork }[] {
  let ids: string[]
  try {
    ids = readdirSync(context.runRoot).filter((name) => /^[0-9a-f]{64}$/.test(name))
  } catch {
    return []
  }
  return ids.flatMap((id) => {
    const run = runNetwork(context, id)
    const config = run === undefined || !context.store.isRunning(id) ? undefined : context.store.load(id)
    return config === undefined ? [] : [{ config, run: run! }]
  })
}
