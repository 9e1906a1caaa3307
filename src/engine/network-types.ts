import type { IpamPool } from '../network/index.js'

export type { IpamPool } from '../network/index.js'

/** How a container takes part in a network. */
export interface NetworkAttachment {
  /** Name or ID. */
  name: string
  /** Further names in the network's name service. */
  aliases?: string[]
  /** IPv4 and IPv6 address; default: the first that is free. */
  ip?: string
  ip6?: string
  /** Default: made from the address. */
  macAddress?: string
  /** `container` or `container:alias`. */
  links?: string[]
  driverOpts?: Record<string, string>
  /** The network with the highest gives the default route. Default 0. */
  gwPriority?: number
}

/** A port of the container that the host passes on. */
export interface PortOption {
  /** In the container, 1 to 65535. */
  containerPort: number
  /** Default `tcp`. */
  protocol?: 'tcp' | 'udp' | 'sctp'
  /** On the host; 0 or unset: any that is free. */
  hostPort?: number
  /** With `hostPort`, a range of which the first free one is taken. */
  hostPortEnd?: number
  /** Address of the host; default: all. */
  hostAddress?: string
}

/** The network part of a new container's options. */
export interface NetworkOptions {
  /** `none` (default; `bridge` as soon as a port or the like is asked for), `bridge`, `host`, `container:<name or id>`, or the name or ID of a network. */
  network?: string
  /** All networks of the container, instead of `network`. */
  networks?: NetworkAttachment[]
  /** Of the first network. */
  networkAliases?: string[]
  ip?: string
  ip6?: string
  macAddress?: string
  links?: string[]
  ports?: PortOption[]
  /** Publish all declared ports at ports of the host that are free. */
  publishAll?: boolean
  /** Declares ports, besides those of the image: `80`, `53/udp`, `8000-8010/tcp`. */
  expose?: string[]
}

/** Options of a new network; Docker's. */
export interface NetworkCreateOptions {
  /** Default `bridge`. */
  driver?: string
  /** Ranges of addresses. Default: one of Docker's pools that meets no network and no route of this host. */
  pools?: IpamPool[]
  /** No way out of the network, no published ports. */
  internal?: boolean
  attachable?: boolean
  /** Default true. */
  ipv4?: boolean
  ipv6?: boolean
  ipamDriver?: string
  ipamOptions?: Record<string, string>
  options?: Record<string, string>
  labels?: Record<string, string>
}

/** One row of `network ls`. */
export interface NetworkSummary {
  id: string
  name: string
  driver: string
  scope: 'local'
  internal: boolean
  ipv4: boolean
  ipv6: boolean
  labels: Record<string, string>
  /** Milliseconds since the epoch. */
  createdAt: number
}

/** A network. Disposing of it removes it. */
export interface NetworkHandle extends AsyncDisposable {
  readonly id: string
  readonly name: string
  /** Docker's `network inspect` shape. */
  inspect(): Promise<Record<string, unknown>>
  /** @param container name or ID */
  connect(container: string, options?: Omit<NetworkAttachment, 'name'>): Promise<void>
  disconnect(container: string, options?: { force?: boolean }): Promise<void>
  remove(): Promise<void>
}

/** The networks of an engine. */
export interface NetworksApi {
  create(name: string, options?: NetworkCreateOptions): Promise<NetworkHandle>
  list(): Promise<NetworkSummary[]>
  /** IDs of the networks that a container refers to. */
  used(): Promise<Set<string>>
  /** @throws JubakoError ERR_JUBAKO_NOT_FOUND */
  get(nameOrId: string): Promise<NetworkHandle>
  remove(nameOrId: string): Promise<void>
  /** Removes the networks that no container refers to, and returns their names. `keep`: which stay all the same. */
  prune(options?: { keep?: (network: NetworkSummary) => boolean }): Promise<string[]>
}
