/** A new container's networks and ports, as its record has them. */
import { isIP } from 'node:net'
import { invalidArgument } from '../errors/index.js'
import { type EndpointConfig, type NetworkConfig, type PortBinding, parseMac } from '../network/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import type { NetworkAttachment, NetworkOptions, PortOption } from './network-types.js'

const isShared = (mode: string): boolean => mode === 'host' || mode.startsWith('container:')

/** What a container has without a word: a network of its own, or the default one as soon as it wants something of it. */
function unnamed(options: NetworkOptions): string {
  const { ports = [], links = [], networkAliases = [], ip, ip6, macAddress, publishAll } = options
  const wants = publishAll || ports.length > 0 || links.length > 0 || networkAliases.length > 0
  return wants || ip !== undefined || ip6 !== undefined || macAddress !== undefined ? 'bridge' : 'none'
}

const isUnnamed = (name: string | undefined): boolean => name === undefined || name === '' || name === 'default'

export function attachments(options: NetworkOptions): NetworkAttachment[] {
  const first: Omit<NetworkAttachment, 'name'> = {
    ...(options.networkAliases !== undefined && { aliases: options.networkAliases }),
    ...(options.ip !== undefined && { ip: options.ip }),
    ...(options.ip6 !== undefined && { ip6: options.ip6 }),
    ...(options.macAddress !== undefined && { macAddress: options.macAddress }),
    ...(options.links !== undefined && { links: options.links }),
  }
  const [head, ...others] = options.networks ?? [{ name: options.network ?? '' }]
  if (head === undefined) return []
  const name = isUnnamed(head.name) ? unnamed(options) : head.name
  return [{ ...head, ...first, name }, ...others]
}

/** @param find throws for a network that does not exist */
export function networkRecord(
  options: NetworkOptions,
  find: (nameOrId: string) => NetworkConfig,
): Pick<ContainerConfig, 'network' | 'endpoints'> {
  const list = attachments(options)
  const [first, ...others] = list
  if (first === undefined) return { network: 'none', endpoints: [] }
  const mode = first.name
  const given = ['ip', 'ip6', 'macAddress', 'aliases', 'links'].some((key) => {
    const value = first[key as keyof NetworkAttachment]
    return value !== undefined && (!Array.isArray(value) || value.length > 0)
  })
  if (isShared(mode) || mode === 'none') {
    if (others.length > 0) {
      throw invalidArgument(`conflicting options: cannot attach both user-defined and non-user-defined network-modes`)
    }
    if (mode.startsWith('container:')) {
      if (options.ports?.length || options.publishAll)
        throw invalidArgument('conflicting options: port publishing and the container type network mode')
      if (options.expose?.length)
        throw invalidArgument('conflicting options: port exposing and the container type network mode')
      if (options.macAddress) throw invalidArgument('conflicting options: mac-address and the network mode')
    }
    if (mode === 'host' && options.links?.length)
      throw invalidArgument(
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      )
    if (given && first.aliases?.length)
      throw userDefinedOnly('network-scoped aliases are only supported for user-defined networks')
    if (first.ip !== undefined || first.ip6 !== undefined)
      throw userDefinedOnly('user specified IP address is supported on user defined networks only')
    return { network: mode, endpoints: [] }
  }
  const seen = new Set<string>()
  const endpoints = list.map((attachment) => {
    if (isShared(attachment.name) || attachment.name === 'none')
      throw invalidArgument('conflicting options: cannot attach both user-defined and non-user-defined network-modes')
    const endpoint = endpointOf(attachment, find(attachment.name))
    if (seen.has(endpoint.network)) throw invalidArgument(`Network "${attachment.name}" is specified multiple times`)
    seen.add(endpoint.network)
    return endpoint
  })
  return { network: mode, endpoints }
}

const userDefinedOnly = (message: string) =>
  invalidArgument(message, { hint: 'make one with: jubako network create NAME' })

/** @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT */
export function endpointOf(attachment: Omit<NetworkAttachment, 'name'>, network: NetworkConfig): EndpointConfig {
  const { aliases = [], ip, ip6, macAddress, links = [] } = attachment
  const userDefined = network.name !== 'bridge'
  if (network.driver === 'host' || network.driver === 'null') {
    throw invalidArgument(`container cannot be connected to the network ${network.name}`, {
      hint: 'give --network none or host when the container is made',
    })
  }
  if (!userDefined && aliases.length > 0)
    throw userDefinedOnly('network-scoped aliases are only supported for user-defined networks')
  for (const [text, family, what] of [
    [ip, 4, 'IPv4'],
    [ip6, 6, 'IPv6'],
  ] as const) {
    if (text === undefined || text === '') continue
    if (isIP(text) !== family) throw invalidArgument(`invalid ${what} address: ${text}`)
    if (!userDefined) throw userDefinedOnly('user specified IP address is supported on user defined networks only')
  }
  if (macAddress !== undefined && macAddress !== '') parseMac(macAddress)
  return {
    network: network.id,
    aliases: [...aliases],
    ...(ip !== undefined && ip !== '' && { ipv4: ip }),
    ...(ip6 !== undefined && ip6 !== '' && { ipv6: ip6 }),
    ...(macAddress !== undefined && macAddress !== '' && { mac: macAddress.toLowerCase().replaceAll('-', ':') }),
    links: [...links],
    driverOpts: { ...attachment.driverOpts },
    gwPriority: attachment.gwPriority ?? 0,
  }
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 65535

function binding(port: PortOption): PortBinding {
  const { containerPort, protocol = 'tcp', hostPort = 0, hostPortEnd = hostPort, hostAddress = '' } = port
  if (!isPort(containerPort) || containerPort === 0) throw invalidArgument(`invalid containerPort: ${containerPort}`)
  if (!isPort(hostPort) || !isPort(hostPortEnd) || hostPortEnd < hostPort)
    throw invalidArgument(`invalid hostPort: ${hostPort}`)
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw invalidArgument(`invalid proto: ${protocol}`)
  if (hostAddress !== '' && isIP(hostAddress) === 0) throw invalidArgument(`invalid IP address: ${hostAddress}`)
  return { port: containerPort, protocol, hostAddress, hostPort, hostPortEnd }
}

/** `80`, `53/udp`, `8000-8010/tcp` as Docker's `port/protocol` keys. */
export function exposedKeys(text: string): string[] {
  const [, first, last = first, protocol = 'tcp'] = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? []
  const [from, to] = [Number(first), Number(last)]
  if (first === undefined || !isPort(from) || !isPort(to) || from === 0 || to < from)
    throw invalidArgument(`invalid range format for --expose: ${text}`)
  return Array.from({ length: to - from + 1 }, (_, at) => `${from + at}/${protocol.toLowerCase()}`)
}

export function portRecord(
  options: NetworkOptions,
  ofImage: readonly string[],
): Pick<ContainerConfig, 'ports' | 'publishAll' | 'exposedPorts'> {
  const ports = (options.ports ?? []).map(binding)
  const exposed = new Set([
    ...ofImage.flatMap((text) => exposedKeys(text)),
    ...(options.expose ?? []).flatMap(exposedKeys),
    ...ports.map(({ port, protocol }) => `${port}/${protocol}`),
  ])
  return { ports, publishAll: options.publishAll ?? false, exposedPorts: [...exposed] }
}

/** The networks of a new container. */
export async function networkOf(
  context: EngineContext,
  options: NetworkOptions,
): Promise<Pick<ContainerConfig, 'network' | 'endpoints'>> {
  const first = attachments(options)[0]?.name ?? 'none'
  if (isShared(first) || first === 'none') return networkRecord(options, () => context.networks.store.find(first))
  await context.networks.defaultNetwork()
  return networkRecord(options, (name) => context.networks.store.find(name))
}
