/** Networks and ports of a container, as docker shows them. */
import type { Endpoint, EndpointConfig } from '../network/index.js'
import type { ContainerConfig } from '../runtime/index.js'
import type { EngineContext } from './context.js'
import { reservedPorts, runNetwork } from './network-state.js'
import type { PortSummary } from './types.js'

/** `/target:/container/alias`. */
export function hostLink(config: ContainerConfig, link: string): string {
  const [target = '', alias = target] = link.split(':')
  return `/${target.replace(/^\//, '')}:/${config.name}/${alias.replace(/^\//, '')}`
}

export function portBindings(config: ContainerConfig): Record<string, { HostIp: string; HostPort: string }[]> {
  const out: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const { port, protocol, hostAddress, hostPort, hostPortEnd } of config.ports ?? []) {
    const range = hostPortEnd === hostPort ? String(hostPort) : `${hostPort}-${hostPortEnd}`
    const key = `${port}/${protocol}`
    out[key] = [...(out[key] ?? []), { HostIp: hostAddress, HostPort: hostPort === 0 ? '' : range }]
  }
  return out
}

const isUp = (context: EngineContext, config: ContainerConfig): boolean =>
  context.store.isRunning(config.id) && context.store.exitRecord(config.id) === undefined

export function portSummary(
  context: EngineContext,
  config: ContainerConfig,
  up = isUp(context, config),
): PortSummary[] {
  if (!up) return []
  const run = runNetwork(context, config.id)
  if (run === undefined) return []
  const reserved = reservedPorts(context, config.id)
  const published = run.published.flatMap(({ port, protocol, addresses, reservation, network }) => {
    const hostPort = reserved[reservation]
    return hostPort === undefined || network === ''
      ? []
      : addresses.map((hostAddress): PortSummary => ({ port, protocol, hostAddress, hostPort }))
  })
  const has = new Set(published.map(({ port, protocol }) => `${port}/${protocol}`))
  const exposed = config.exposedPorts
    .filter((key) => !has.has(key))
    .map((key): PortSummary => ({ port: Number(key.split('/')[0]), protocol: key.split('/')[1] ?? 'tcp' }))
  return [...published, ...exposed].sort(
    (a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0),
  )
}

export function networkNames(context: EngineContext, config: ContainerConfig): string[] {
  const endpoints = config.endpoints ?? []
  if (endpoints.length === 0) return config.network.startsWith('container:') ? [] : [config.network]
  return endpoints.map(({ network }) => context.networks.store.load(network)?.name ?? network).sort()
}

function endpointSettings(
  wanted: EndpointConfig,
  network: string,
  endpoint: Endpoint | undefined,
): Record<string, unknown> {
  const ipam = {
    ...(wanted.ipv4 !== undefined && { IPv4Address: wanted.ipv4 }),
    ...(wanted.ipv6 !== undefined && { IPv6Address: wanted.ipv6 }),
  }
  return {
    IPAMConfig: Object.keys(ipam).length === 0 ? null : ipam,
    Links:
      wanted.links.length === 0 ? null : wanted.links.map((link) => (link.includes(':') ? link : `${link}:${link}`)),
    Aliases: wanted.aliases.length === 0 ? null : wanted.aliases,
    MacAddress: endpoint?.mac ?? wanted.mac ?? '',
    DriverOpts: Object.keys(wanted.driverOpts).length === 0 ? null : wanted.driverOpts,
    GwPriority: wanted.gwPriority,
    NetworkID: network,
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.ipv4?.gateway ?? '',
    IPAddress: endpoint?.ipv4?.address ?? '',
    IPPrefixLen: endpoint?.ipv4?.prefix ?? 0,
    IPv6Gateway: endpoint?.ipv6?.gateway ?? '',
    GlobalIPv6Address: endpoint?.ipv6?.address ?? '',
    GlobalIPv6PrefixLen: endpoint?.ipv6?.prefix ?? 0,
    DNSNames: endpoint === undefined || endpoint.names.length === 0 ? null : endpoint.names,
  }
}

/** `NetworkSettings.Networks`. */
export function networkEndpoints(
  context: EngineContext,
  config: ContainerConfig,
  up: boolean,
): Record<string, unknown> {
  const wanted = config.endpoints ?? []
  const plain = config.network === 'none' || config.network === 'host'
  if (wanted.length === 0) return plain ? { [config.network]: endpointSettings(none, '', undefined) } : {}
  const run = up ? runNetwork(context, config.id) : undefined
  return Object.fromEntries(
    wanted.map((one) => [
      context.networks.store.load(one.network)?.name ?? one.network,
      endpointSettings(
        one,
        one.network,
        run?.endpoints.find(({ network }) => network === one.network),
      ),
    ]),
  )
}

/** Docker's `NetworkSettings`. */
export function networkSettings(context: EngineContext, config: ContainerConfig): Record<string, unknown> {
  const up = isUp(context, config)
  const run = up ? runNetwork(context, config.id) : undefined
  const ports: Record<string, { HostIp: string; HostPort: string }[] | null> = {}
  for (const { port, protocol, hostAddress, hostPort } of portSummary(context, config)) {
    const key = `${port}/${protocol}`
    if (hostPort === undefined) ports[key] = null
    else ports[key] = [...(ports[key] ?? []), { HostIp: hostAddress ?? '', HostPort: String(hostPort) }]
  }
  const wanted = config.endpoints ?? []
  const first = run?.endpoints.find(({ networkName }) => networkName === 'bridge')
  const pid = up ? context.store.runRecord(config.id)?.pid : undefined
  return {
    Bridge: '',
    SandboxID: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SandboxKey: pid === undefined || wanted.length === 0 ? '' : `/proc/${pid}/ns/net`,
    Ports: ports,
    EndpointID: first?.id ?? '',
    Gateway: first?.ipv4?.gateway ?? '',
    GlobalIPv6Address: first?.ipv6?.address ?? '',
    GlobalIPv6PrefixLen: first?.ipv6?.prefix ?? 0,
    IPAddress: first?.ipv4?.address ?? '',
    IPPrefixLen: first?.ipv4?.prefix ?? 0,
    IPv6Gateway: first?.ipv6?.gateway ?? '',
    MacAddress: first?.mac ?? '',
    Networks: networkEndpoints(context, config, up),
  }
}

const none: EndpointConfig = { network: '', aliases: [], links: [], driverOpts: {}, gwPriority: 0 }
