import type { PortSummary } from '../../engine/types.js'

interface Group {
  first: number
  last: number
  hostFirst: number
  hostLast: number
}

/** The PORTS column: `0.0.0.0:8000-8001->80-81/tcp, 53/udp`; runs of ports are put together. */
export function portsText(ports: readonly PortSummary[]): string {
  const published: string[] = []
  const groups = new Map<string, Group>()
  const declared: string[] = []
  const flush = (key: string, group: Group) => {
    const [address = '', protocol = ''] = key.split('|')
    const inner = group.first === group.last ? `${group.first}` : `${group.first}-${group.last}`
    if (address === '') declared.push(`${inner}/${protocol}`)
    else {
      const outer = group.hostFirst === group.hostLast ? `${group.hostFirst}` : `${group.hostFirst}-${group.hostLast}`
      published.push(`${address.includes(':') ? `[${address}]` : address}:${outer}->${inner}/${protocol}`)
    }
  }
  for (const { port, protocol, hostAddress = '', hostPort = 0 } of ports) {
    const key = `${hostAddress}|${protocol}`
    const group = groups.get(key)
    const follows =
      group !== undefined && port === group.last + 1 && (hostAddress === '' || hostPort === group.hostLast + 1)
    if (follows) {
      group.last = port
      group.hostLast = hostPort
      continue
    }
    if (group !== undefined) flush(key, group)
    groups.set(key, { first: port, last: port, hostFirst: hostPort, hostLast: hostPort })
  }
  for (const [key, group] of groups) flush(key, group)
  return [...published, ...declared].join(', ')
}
