/** One range of addresses of a network, as docker's IPAM has it. */
export interface IpamPool {
  /** CIDR. */
  subnet: string
  /** Addresses are given out of this part only. */
  ipRange?: string
  gateway?: string
  /** Addresses that are not given out, by a name of the caller's. */
  auxAddresses?: Record<string, string>
}

export type NetworkDriver = 'bridge' | 'host' | 'null' | 'macvlan' | 'ipvlan'

/** A network as it was created: `<root>/networks/<id>.json`. */
export interface NetworkConfig {
  version: 1
  id: string
  name: string
  /** Milliseconds since the epoch. */
  createdAt: number
  driver: NetworkDriver
  internal: boolean
  attachable: boolean
  ipv4: boolean
  ipv6: boolean
  ipamDriver: string
  ipamOptions: Record<string, string>
  pools: IpamPool[]
  /** Which pools' gateways the caller gave; the others are the first address. */
  options: Record<string, string>
  labels: Record<string, string>
  /** Name of the link on the host; empty for drivers without one. */
  bridge: string
}

/** How a container takes part in a network, as it was asked for. */
export interface EndpointConfig {
  /** The network's ID. */
  network: string
  aliases: string[]
  ipv4?: string
  ipv6?: string
  mac?: string
  /** `container:alias`, or a container alone. */
  links: string[]
  driverOpts: Record<string, string>
  gwPriority: number
}

/** A port of a container and where it is published. */
export interface PortBinding {
  /** In the container. */
  port: number
  protocol: 'tcp' | 'udp' | 'sctp'
  /** Empty: every address. */
  hostAddress: string
  /** First and last of the range to choose from; 0: any. */
  hostPort: number
  hostPortEnd: number
}

/** An endpoint that exists: one of `<run root>/<container>/network.json`. */
export interface Endpoint {
  id: string
  network: string
  networkName: string
  /** In the container; empty without a link of its own. */
  interface: string
  /** On the host. */
  veth: string
  ipv4: { address: string; prefix: number; gateway: string } | null
  ipv6: { address: string; prefix: number; gateway: string } | null
  mac: string
  aliases: string[]
  /** What the container is called in this network. */
  names: string[]
  links: string[]
  gwPriority: number
  driverOpts: Record<string, string>
  /** Who holds the addresses: the content of their links. */
  owner: string
}

/** A port that is published. */
export interface Published extends PortBinding {
  /** Which number of `<run root>/<container>/ports` is the host's port. */
  reservation: number
  /** Through which network. */
  network: string
  /** The addresses of the host it listens at. */
  addresses: string[]
}

/** `<run root>/<container>/network.json`. */
export interface RunNetwork {
  endpoints: Endpoint[]
  published: Published[]
}

export const protocolNumber = { tcp: 6, udp: 17, sctp: 132 } as const

export const bridgeOptions = {
  name: 'com.docker.network.bridge.name',
  icc: 'com.docker.network.bridge.enable_icc',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostBinding: 'com.docker.network.bridge.host_binding_ipv4',
  defaultBridge: 'com.docker.network.bridge.default_bridge',
  inhibitIpv4: 'com.docker.network.bridge.inhibit_ipv4',
  gatewayMode4: 'com.docker.network.bridge.gateway_mode_ipv4',
  gatewayMode6: 'com.docker.network.bridge.gateway_mode_ipv6',
  mtu: 'com.docker.network.driver.mtu',
  prefix: 'com.docker.network.container_iface_prefix',
} as const

const no = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])

/** A yes or no among a network's options; `fallback` when it is not there. */
export function optionFlag(network: NetworkConfig, key: string, fallback: boolean): boolean {
  const value = network.options[key]
  return value === undefined || value === '' ? fallback : !no.has(value)
}
