/**
 * The rules of one store, as values. One table, made once; networks and containers only add elements to its sets.
 *
 * - `bridges`: all bridges. `same`: pairs of equal names, between whose containers traffic flows. `internal`: those
 *   without a way out.
 * - `local4`, `local6`: their subnets. `masq4`, `masq6`: those that leave with the host's address.
 * - `host4`, `host6`: (address, protocol, port) of the host -> (address, port) of a container. `any4`, `any6`: the same
 *   for every address of the host.
 */
import { addressBytes, lastOf, type Subnet } from './address.js'
import {
  accept,
  drop,
  type Expression,
  getChain,
  getElement,
  ifname,
  is,
  join,
  masquerade,
  portBytes,
  type SetElement,
  type SetShape,
  Transaction,
  toResolver,
  translate,
} from './nft.js'

const sets: Record<string, SetShape> = {
  bridges: { key: ['ifname'] },
  internal: { key: ['ifname'] },
  same: { key: ['ifname', 'ifname'] },
  local4: { key: ['ipv4'], interval: true },
  masq4: { key: ['ipv4'], interval: true },
  host4: { key: ['ipv4', 'protocol', 'port'], data: ['ipv4', 'port'] },
  any4: { key: ['protocol', 'port'], data: ['ipv4', 'port'] },
  local6: { key: ['ipv6'], interval: true },
  masq6: { key: ['ipv6'], interval: true },
  host6: { key: ['ipv6', 'protocol', 'port'], data: ['ipv6', 'port'] },
  any6: { key: ['protocol', 'port'], data: ['ipv6', 'port'] },
}

const HOOK = { prerouting: 0, forward: 2, output: 3, postrouting: 4 } as const
const ESTABLISHED_RELATED = 2 | 4

const chains = [
  ['raw', 'filter', HOOK.prerouting, -300],
  ['prerouting', 'nat', HOOK.prerouting, -100],
  ['output', 'nat', HOOK.output, -100],
  ['postrouting', 'nat', HOOK.postrouting, 100],
  ['forward', 'filter', HOOK.forward, 0],
] as const

const publish = (family: 4 | 6): Expression[][] => [
  [...is.family(family), ...translate(family, `host${family}`, true)],
  [...is.family(family), ...is.destinationLocal, ...translate(family, `any${family}`, false)],
]

const leave = (family: 4 | 6): Expression[][] => [
  // A container that asks for a published port of its own network: the answer must come back this way.
  [
    ...is.translated,
    ...is.family(family),
    ...is.outputIn('bridges'),
    ...is.sourceIn(family, `local${family}`),
    masquerade,
  ],
  [...is.family(family), ...is.outputIn('bridges', true), ...is.sourceIn(family, `masq${family}`), masquerade],
]

/** @param guard the host forwards only because of us: nothing else is forwarded then */
function rules(guard: boolean): Record<string, Expression[][]> {
  return {
    // route_localnet lets published ports answer at 127.0.0.1. It must not let containers reach the host's loopback. Every
    // packet comes by here: what most are not is asked first.
    raw: [[...is.family(4), ...is.destinationLoopback, ...is.inputIn('bridges'), drop]],
    prerouting: [...publish(4), ...publish(6)],
    output: [...publish(4), ...publish(6)],
    postrouting: [
      [...is.family(4), ...is.sourceLoopback, ...is.outputIn('bridges'), masquerade],
      ...leave(4),
      ...leave(6),
    ],
    forward: [
      [...is.state(ESTABLISHED_RELATED), accept],
      [...is.inputIn('bridges', true), ...is.outputIn('bridges', true), guard ? drop : accept],
      [...is.pairIn('same'), accept],
      [...is.inputIn('internal'), drop],
      [...is.outputIn('internal'), drop],
      [...is.translated, ...is.outputIn('bridges'), accept],
      [...is.inputIn('bridges'), ...is.outputIn('bridges'), drop],
      [...is.outputIn('bridges'), drop],
    ],
  }
}

const ruleCount = rules(false).forward!.length

/** What a network adds. */
export interface NetworkRules {
  bridge: string
  subnets: readonly Subnet[]
  internal: boolean
  masquerade: boolean
  /** Containers may talk with each other. */
  icc: boolean
}

const one = (family: 4 | 6, value: bigint): Buffer => addressBytes({ family, value })

function interval(subnet: Subnet): SetElement[] {
  const last = lastOf(subnet)
  const end = last + 1n
  // The end of the last subnet of all has no number; an open interval reaches to it.
  const closes = end < 1n << (subnet.family === 4 ? 32n : 128n)
  return [{ key: one(subnet.family, subnet.base) }, ...(closes ? [{ key: one(subnet.family, end), end: true }] : [])]
}

function networkElements(network: NetworkRules): [set: string, elements: SetElement[]][] {
  const name = ifname(network.bridge)
  return [
    ['bridges', [{ key: name }]],
    ...(network.icc ? ([['same', [{ key: join(name, name) }]]] as [string, SetElement[]][]) : []),
    ...(network.internal ? ([['internal', [{ key: name }]]] as [string, SetElement[]][]) : []),
    ...network.subnets.flatMap((subnet): [string, SetElement[]][] => [
      [`local${subnet.family}`, interval(subnet)],
      ...(network.masquerade && !network.internal
        ? ([[`masq${subnet.family}`, interval(subnet)]] as [string, SetElement[]][])
        : []),
    ]),
  ]
}

/** A port of the host that leads to one of a container. */
export interface PublishedPort {
  /** Number in IP headers. */
  protocol: number
  /** null: every address of the host of this family. */
  hostAddress: Buffer | null
  /** The number, or which reservation has it. */
  hostPort: number | { reservation: number }
  family: 4 | 6
  address: Buffer
  port: number
}

function publishedElement(port: PublishedPort): [set: string, element: SetElement] {
  const later = typeof port.hostPort === 'number' ? undefined : port.hostPort
  const number = typeof port.hostPort === 'number' ? port.hostPort : 0
  const end = [Buffer.from([port.protocol]), portBytes(number)]
  const key = port.hostAddress === null ? join(...end) : join(port.hostAddress, ...end)
  return [
    `${port.hostAddress === null ? 'any' : 'host'}${port.family}`,
    {
      key,
      ...(later !== undefined && { keyPort: { offset: key.length - 4, reservation: later.reservation } }),
      data: join(port.address, portBytes(port.port)),
    },
  ]
}

/**
 * Makes the table with all that belongs in it. What is there already stays as it is.
 *
 * @param exclusive nothing is made where the table is already
 */
export function buildTable(
  table: string,
  networks: readonly NetworkRules[],
  ports: readonly PublishedPort[],
  guard: boolean,
  exclusive = false,
): Transaction {
  const transaction = new Transaction(table).newTable(exclusive)
  for (const [at, [name, shape]] of Object.entries(sets).entries()) transaction.newSet(name, shape, at + 1)
  for (const [name, type, hook, priority] of chains) transaction.newChain(name, type, hook, priority)
  for (const [chain, list] of Object.entries(rules(guard))) {
    transaction.emptyChain(chain)
    for (const expressions of list) transaction.newRule(chain, expressions)
  }
  for (const network of networks) addNetwork(transaction, network)
  return addPorts(transaction, ports)
}

export function addNetwork(transaction: Transaction, network: NetworkRules): Transaction {
  for (const [set, elements] of networkElements(network)) transaction.elements('newElement', set, elements)
  return transaction
}

/** One transaction for each element: one that is gone already does not keep the others. */
export function removeNetwork(table: string, network: NetworkRules): Transaction[] {
  return networkElements(network).map(([set, elements]) => new Transaction(table).elements('delElement', set, elements))
}

export function addPorts(transaction: Transaction, ports: readonly PublishedPort[]): Transaction {
  const bySet = new Map<string, SetElement[]>()
  for (const [set, element] of ports.map(publishedElement)) bySet.set(set, [...(bySet.get(set) ?? []), element])
  for (const [set, elements] of bySet) transaction.elements('newElement', set, elements)
  return transaction
}

export function removePorts(table: string, ports: readonly PublishedPort[]): Transaction[] {
  return ports.map(publishedElement).map(([set, element]) => {
    const { data: _, ...key } = element
    return new Transaction(table).elements('delElement', set, [key])
  })
}

/** Questions whose answers tell whether the table is whole and knows a bridge. */
export function askTable(table: string, bridge: string) {
  return getChain(getElement(table, 'bridges', ifname(bridge)), table, 'forward')
}

export const forwardRules = ruleCount

/** In the container's own namespace: port 53 of 127.0.0.11 is wherever its name service could bind. */
export function resolverTable(): Transaction {
  const transaction = new Transaction('jubako', 2).newTable().newChain('output', 'nat', HOOK.output, -100)
  // Made anew when a container gets another network.
  transaction.emptyChain('output')
  for (const protocol of [17, 6]) {
    transaction.newRule('output', [
      ...is.destination(4, Buffer.from([127, 0, 0, 11])),
      ...is.protocol(protocol),
      ...is.destinationPort(53),
      ...toResolver(0),
    ])
  }
  return transaction
}
