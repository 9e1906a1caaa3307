import type { NetworkSummary } from '../../engine/network-types.js'
import type { ListStyle } from './list.js'
import { localTime, shortId } from './units.js'

/** `network ls`. */
export const networkStyle: ListStyle = {
  typeName: '*network.networkContext',
  table: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}',
  headings: {
    ID: 'NETWORK ID',
    Name: 'NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    IPv4: 'IPV4',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
    CreatedAt: 'CREATED AT',
  },
}

export function networkRow(network: NetworkSummary, truncate: boolean): Record<string, unknown> {
  const labels = Object.entries(network.labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    get CreatedAt() {
      return localTime(network.createdAt)
    },
    Driver: network.driver,
    ID: truncate ? shortId(network.id) : network.id,
    IPv4: String(network.ipv4),
    IPv6: String(network.ipv6),
    Internal: String(network.internal),
    Label: (name: string) => (Object.hasOwn(network.labels, name) ? network.labels[name] : ''),
    Labels: labels.map(([key, value]) => `${key}=${value}`).join(','),
    Name: network.name,
    Scope: network.scope,
  }
}
