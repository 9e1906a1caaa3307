import type { NetworkConfig } from '../network/index.js'
import type { EngineContext } from './context.js'
import { runningNetworks } from './network-state.js'

const cidr = (one: { address: string; prefix: number } | null): string =>
  one === null ? '' : `${one.address}/${one.prefix}`

/** Docker's `network inspect` (Engine API 1.51, Network). */
export function inspectNetwork(context: EngineContext, network: NetworkConfig): Record<string, unknown> {
  const containers = runningNetworks(context).flatMap(({ config, run }) =>
    run.endpoints
      .filter((endpoint) => endpoint.network === network.id)
      .map((endpoint) => [
        config.id,
        {
          Name: config.name,
          EndpointID: endpoint.id,
          MacAddress: endpoint.mac,
          IPv4Address: cidr(endpoint.ipv4),
          IPv6Address: cidr(endpoint.ipv6),
        },
      ]),
  )
  return {
    Name: network.name,
    Id: network.id,
    Created: new Date(network.createdAt).toISOString(),
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: network.ipv4,
    EnableIPv6: network.ipv6,
    IPAM: {
      Driver: network.ipamDriver,
      Options: network.name === 'bridge' ? null : network.ipamOptions,
      Config: network.pools.map((pool) => ({
        Subnet: pool.subnet,
        ...(pool.ipRange !== undefined && { IPRange: pool.ipRange }),
        ...(pool.gateway !== undefined && { Gateway: pool.gateway }),
        ...(pool.auxAddresses !== undefined && { AuxiliaryAddresses: pool.auxAddresses }),
      })),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(containers),
    Options: network.options,
    Labels: network.labels,
  }
}
