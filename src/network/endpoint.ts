/** Steps that connect a container with a network, publish its ports, and undo it. */
import { isIPv4 } from 'node:net'
import { encodeSteps, type Step } from '../native/index.js'
import { addressBytes, parseAddress, parseMac } from './address.js'
import {
  bridgeOptions,
  type Endpoint,
  type NetworkConfig,
  optionFlag,
  type Published,
  protocolNumber,
} from './config.js'
import type { Firewall } from './firewall.js'
import { hasIpv6, mtuOf } from './host.js'
import {
  configureInside,
  createSubLink,
  createVeth,
  defaultRoute,
  deleteInside,
  dropDefaultRoute,
  isolatePort,
} from './links.js'
import { route } from './message.js'
import type { PublishedPort } from './ruleset.js'
import type { NetworkStore } from './store.js'

const ENOENT = 2
const ESRCH = 3
const ENODEV = 19
const EEXIST = 17

const macvlanModes: Record<string, number> = { private: 1, vepa: 2, bridge: 4, passthru: 8 }
const ipvlanModes: Record<string, number> = { l2: 0, l3: 1, l3s: 2 }
const ipvlanFlags: Record<string, number> = { bridge: 0, private: 1, vepa: 2 }

export const subLinkModes = { macvlan: macvlanModes, ipvlan: ipvlanModes, ipvlanFlags }

/** The container's link and its addresses. */
export function linkSteps(network: NetworkConfig, endpoint: Endpoint): Step[] {
  const what = `network ${network.name}`
  const ipv6 = hasIpv6() ? endpoint.ipv6 !== null : undefined
  const addresses = [endpoint.ipv4, endpoint.ipv6].flatMap((one) =>
    one === null ? [] : [{ address: parseAddress(one.address)!, prefix: one.prefix }],
  )
  const steps: Step[] = []
  if (network.driver === 'bridge') {
    const isolated = !optionFlag(network, bridgeOptions.icc, true)
    const link = {
      name: endpoint.veth,
      bridge: network.bridge,
      inside: endpoint.interface,
      mac: parseMac(endpoint.mac),
      mtu: mtuOf(network),
      ipv6: hasIpv6() ? false : undefined,
      isolated,
    }
    steps.push(createVeth(link).step(what))
    if (isolated) steps.push(isolatePort(endpoint.veth).step(what))
  } else {
    steps.push(subLinkStep(network, endpoint))
  }
  steps.push(configureInside(endpoint.interface, addresses, ipv6).step(what, 'inside'))
  return steps
}

function subLinkStep(network: NetworkConfig, endpoint: Endpoint): Step {
  const { options } = network
  const macvlan = network.driver === 'macvlan'
  return createSubLink({
    kind: macvlan ? 'macvlan' : 'ipvlan',
    parent: options.parent!,
    inside: endpoint.interface,
    mac: macvlan ? parseMac(endpoint.mac) : null,
    mode: macvlan ? macvlanModes[options.macvlan_mode ?? 'bridge']! : ipvlanModes[options.ipvlan_mode ?? 'l2']!,
    flags: ipvlanFlags[options.ipvlan_flag ?? 'bridge']!,
    mtu: options[bridgeOptions.mtu] === undefined ? null : mtuOf(network),
  }).step(`network ${network.name} on ${options.parent}`)
}

/** Default routes of a container with these endpoints; `replace` those that are there. */
export function routeSteps(
  networks: readonly { network: NetworkConfig; endpoint: Endpoint }[],
  replace: boolean,
): Step[] {
  const steps: Step[] = []
  const messages = route()
  // Docker's order: the highest gateway priority, then the first name.
  const ordered = networks
    .filter(({ network }) => !network.internal)
    .sort((a, b) => b.endpoint.gwPriority - a.endpoint.gwPriority || (a.network.name < b.network.name ? -1 : 1))
  for (const family of [4, 6] as const) {
    const key = family === 4 ? 'ipv4' : 'ipv6'
    const way = ordered.find(({ endpoint }) => endpoint[key] !== null)
    if (way === undefined) {
      if (replace && (family === 4 || hasIpv6()))
        steps.push(dropDefaultRoute(route(), family).step('default route', 'inside', [ENOENT, ESRCH, ENODEV]))
      continue
    }
    const { network, endpoint } = way
    const straight = network.driver === 'ipvlan' && /^l3/.test(network.options.ipvlan_mode ?? 'l2')
    defaultRoute(messages, endpoint.interface, straight ? family : parseAddress(endpoint[key]!.gateway)!)
  }
  if (!messages.empty) steps.push(messages.step('default route', 'inside', [EEXIST]))
  return steps
}

export function unlinkSteps(endpoint: Endpoint): Step[] {
  return endpoint.interface === '' ? [] : [deleteInside(endpoint.interface).step('link', 'inside', [ENODEV])]
}

/** Names for the name service. */
export function nameSteps(store: NetworkStore, endpoint: Endpoint): Step[] {
  const zone = store.zone(endpoint.network)
  const addresses = addressesOf(endpoint)
  return [
    ...endpoint.names.flatMap((name) =>
      addresses.map((address): Step => ['network-name', `${zone}/names/${name}`, address, endpoint.owner]),
    ),
    ...(endpoint.names[0] === undefined
      ? []
      : addresses.map(
          (address): Step => [
            'network-name',
            `${zone}/reverse`,
            address,
            `${endpoint.names[0]}.${endpoint.networkName}`,
          ],
        )),
  ]
}

function unnameSteps(store: NetworkStore, endpoint: Endpoint): Step[] {
  const zone = store.zone(endpoint.network)
  const addresses = addressesOf(endpoint)
  return [
    ...endpoint.names.flatMap((name) =>
      addresses.map((address): Step => ['network-unname', `${zone}/names/${name}`, address]),
    ),
    ...addresses.map((address): Step => ['unlink', `${zone}/reverse/${address}`]),
  ]
}

export function addressesOf(endpoint: Endpoint): string[] {
  return [endpoint.ipv4?.address, endpoint.ipv6?.address].filter((address) => address !== undefined)
}

/** Reserves the ports of the host, in the order of their reservations. */
export function reserveSteps(published: readonly Published[], portsPath: string): Step[] {
  if (published.length === 0) return []
  return [
    ...published.map(
      (port): Step => ['reserve-port', protocolNumber[port.protocol], port.hostPort, port.hostPortEnd, port.addresses],
    ),
    ['reserved-ports', portsPath],
  ]
}

/** What the rules need to know; `ports`: the numbers that were reserved, or nothing as long as only the supervisor knows. */
export function publishedPorts(
  published: readonly Published[],
  endpoint: Endpoint,
  ports?: readonly number[],
): PublishedPort[] {
  return published
    .filter(({ network }) => network === endpoint.network)
    .flatMap((port) =>
      port.addresses.flatMap((text): PublishedPort[] => {
        const family = isIPv4(text) ? 4 : 6
        const target = family === 4 ? endpoint.ipv4 : endpoint.ipv6
        const host = parseAddress(text)!
        if (target === null) return []
        return [
          {
            protocol: protocolNumber[port.protocol],
            hostAddress: host.value === 0n ? null : addressBytes(host),
            hostPort: ports?.[port.reservation] ?? { reservation: port.reservation },
            family,
            address: addressBytes(parseAddress(target.address)!),
            port: port.port,
          },
        ]
      }),
    )
}

/** Everything that an endpoint leaves outside of its network namespace goes, as long as the addresses are its own. */
export function releaseSteps(store: NetworkStore, endpoint: Endpoint, more: readonly Step[]): Step[] {
  const addresses = addressesOf(endpoint)
  const [first, ...others] = addresses
  if (first === undefined) return []
  const nested: Step[] = [
    ...more,
    ...unnameSteps(store, endpoint),
    ...others.map((address): Step => ['unlink', store.addressPath(endpoint.network, address)]),
  ]
  return [['network-release', store.addressPath(endpoint.network, first), endpoint.owner, encodeSteps(nested)]]
}

/** The name service of a container. */
export function resolverSteps(
  firewall: Firewall,
  servers: { inside: readonly string[]; outside: readonly string[] },
): Step[] {
  return [['resolver', servers.inside, servers.outside, firewall.resolverPort], ...firewall.resolver()]
}

export const resolveInStep = (store: NetworkStore, network: NetworkConfig): Step => [
  'resolve-in',
  store.zone(network.id),
  network.name,
  !network.internal,
]
