/** Links, addresses and routes: rtnetlink(7) messages. */

import { Netlink, netlink } from '../native/index.js'
import { type Address, addressBytes, formatAddress, type Subnet, subnetAround } from './address.js'
import { Flag, type Messages, parseAnswers, route } from './message.js'

const RTM = {
  newLink: 16,
  delLink: 17,
  setLink: 19,
  newAddress: 20,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
} as const
const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  info: 18,
  afSpec: 26,
  namespaceFd: 28,
  txQueues: 31,
  rxQueues: 32,
  kind: 1,
  data: 2,
} as const
const VETH_PEER = 1
const IFF_UP = 1
const AF = { 4: 2, 6: 10 } as const
const BRIDGE = { multicastSnooping: 23 } as const
const BRPORT = { afBridge: 7, protinfo: 12, isolated: 33 } as const

/** struct ifinfomsg. */
function linkHeader(up: boolean, family = 0): Buffer {
  const header = Buffer.alloc(16)
  header[0] = family
  if (up) {
    header.writeUInt32LE(IFF_UP, 8)
    header.writeUInt32LE(IFF_UP, 12)
  }
  return header
}

/** Without addresses of IPv6 that nobody asked for. */
function noLinkLocal(to: Messages): void {
  to.nested(IFLA.afSpec, (spec) => spec.nested(AF[6], (inet6) => inet6.u8(8, 1)))
}

/** Up; the kernel makes link-local addresses at that moment, so it is told before whether it should. */
function raise(messages: Messages, name: string, ipv6: boolean | undefined): void {
  if (ipv6 === false) {
    messages.add(RTM.setLink, 0, linkHeader(false), (to) => {
      to.text(IFLA.name, name)
      noLinkLocal(to)
    })
  }
  messages.add(RTM.setLink, 0, linkHeader(true), (to) => to.text(IFLA.name, name))
}

const kind = (to: Messages, name: string, data?: (to: Messages) => void): Messages =>
  to.nested(IFLA.info, (info) => {
    info.text(IFLA.kind, name)
    if (data !== undefined) info.nested(IFLA.data, data)
  })

export interface BridgeLink {
  name: string
  mtu: number
  /** Fixed: a bridge without one takes its ports' and changes it as they come and go. */
  mac: Buffer
  /** Of the bridge itself: the gateways. */
  addresses: { address: Address; prefix: number }[]
  /** false: the kernel gives it no IPv6 address. Undefined: the kernel has no IPv6 at all. */
  ipv6: boolean | undefined
}

/** A bridge that is not there yet. */
export function createBridge(link: BridgeLink): Messages {
  return route().add(RTM.newLink, Flag.create | Flag.excl, linkHeader(false), (to) => {
    to.text(IFLA.name, link.name).u32(IFLA.mtu, link.mtu).bytes(IFLA.address, link.mac)
    kind(to, 'bridge', (data) => data.u8(BRIDGE.multicastSnooping, 0))
  })
}

/** Its addresses, and up. */
export function configureBridge(link: BridgeLink, index: number): Messages {
  const messages = route()
  const [still, up] = [linkHeader(false), linkHeader(true)]
  for (const header of [still, up]) header.writeInt32LE(index, 4)
  if (link.ipv6 === false) messages.add(RTM.setLink, 0, still, noLinkLocal)
  messages.add(RTM.setLink, 0, up)
  for (const { address, prefix } of link.addresses) addAddress(messages, { index }, address, prefix)
  return messages
}

export function deleteLink(name: string): Messages {
  return route().add(RTM.delLink, 0, linkHeader(false), (to) => to.text(IFLA.name, name))
}

const IFA = { address: 1, local: 2, flags: 8, nodad: 2 } as const

function addAddress(
  messages: Messages,
  link: { name: string } | { index: number },
  address: Address,
  prefix: number,
): void {
  const header = Buffer.alloc(8)
  header[0] = AF[address.family]
  header[1] = prefix
  // Nobody else can have it: no time goes into asking (RFC 4862, duplicate address detection).
  header[2] = address.family === 6 ? IFA.nodad : 0
  messages.add(RTM.newAddress, Flag.create | Flag.excl, header, (to) => {
    const bytes = addressBytes(address)
    to.bytes(IFA.local, bytes).bytes(IFA.address, bytes)
    if (address.family === 4) {
      const last = Buffer.from(bytes)
      const host = prefix >= 32 ? 0 : 2 ** (32 - prefix) - 1
      last.writeUInt32BE((bytes.readUInt32BE(0) | host) >>> 0)
      to.bytes(4, last)
    }
    indexAt(to, 16 + 4, link)
  })
}

/** Fills the index in a header that was just written. */
function indexAt(to: Messages, offset: number, link: { name: string } | { index: number }): void {
  const at = to.start + offset
  if ('name' in link) to.later(at, 'link', link.name)
  else to.writeU32(at, link.index)
}

export interface VethLink {
  /** On the host. */
  name: string
  bridge: string
  /** In the container. */
  inside: string
  mac: Buffer
  mtu: number
  /** undefined: the kernel has none. */
  ipv6: boolean | undefined
  /** No frames between this port and the others that are isolated. */
  isolated: boolean
}

/** Without a number the kernel makes one queue per processor, then waits twice for readers until it may use one only. */
const oneQueue = (to: Messages): Messages => to.u32(IFLA.txQueues, 1).u32(IFLA.rxQueues, 1)

/** A pair of links, one end a port of the bridge, the other in the container's namespace from its birth. */
export function createVeth(link: VethLink): Messages {
  const messages = route()
  messages.add(RTM.newLink, Flag.create | Flag.excl, linkHeader(false), (to) => {
    to.text(IFLA.name, link.name).u32(IFLA.mtu, link.mtu).u32Later(IFLA.master, 'link', link.bridge)
    oneQueue(to)
    kind(to, 'veth', (data) =>
      data.nested(VETH_PEER, (peer) => {
        peer.raw(linkHeader(false))
        peer.text(IFLA.name, link.inside).u32(IFLA.mtu, link.mtu).bytes(IFLA.address, link.mac)
        oneQueue(peer).u32Later(IFLA.namespaceFd, 'namespace')
      }),
    )
  })
  raise(messages, link.name, link.ipv6)
  return messages
}

/** Sent on its own: the kernel looks its port up by index. */
export function isolatePort(name: string): Messages {
  return route().add(RTM.setLink, 0, linkHeader(false, BRPORT.afBridge), (to) => {
    to.nested(BRPORT.protinfo, (port) => port.u8(BRPORT.isolated, 1))
    indexAt(to, 16 + 4, { name })
  })
}

export interface SubLink {
  kind: 'macvlan' | 'ipvlan'
  parent: string
  inside: string
  mac: Buffer | null
  /** MACVLAN_MODE_* or IPVLAN_MODE_*. */
  mode: number
  /** IPVLAN_F_*. */
  flags: number
  mtu: number | null
}

/** A link of its own on a link of the host's, born in the container's namespace. */
export function createSubLink(link: SubLink): Messages {
  return route().add(RTM.newLink, Flag.create | Flag.excl, linkHeader(false), (to) => {
    to.text(IFLA.name, link.inside).u32Later(IFLA.link, 'link', link.parent).u32Later(IFLA.namespaceFd, 'namespace')
    if (link.mac !== null) to.bytes(IFLA.address, link.mac)
    if (link.mtu !== null) to.u32(IFLA.mtu, link.mtu)
    kind(to, link.kind, (data) => {
      if (link.kind === 'macvlan') data.u32(1, link.mode)
      else {
        const mode = Buffer.alloc(2)
        mode.writeUInt16LE(link.mode)
        const flags = Buffer.alloc(2)
        flags.writeUInt16LE(link.flags)
        data.bytes(1, mode).bytes(2, flags)
      }
    })
  })
}

const RTA = { destination: 1, oif: 4, gateway: 5 } as const

/** struct rtmsg: a route of the administrator's in the main table. */
function routeHeader(family: 4 | 6, prefix: number, scope: number): Buffer {
  return Buffer.from([AF[family], prefix, 0, 0, 254, 3, scope, 1, 0, 0, 0, 0])
}

/** In the container: addresses and up, with routes by a gateway or straight. */
export function configureInside(
  name: string,
  addresses: { address: Address; prefix: number }[],
  ipv6: boolean | undefined,
): Messages {
  const messages = route()
  raise(messages, name, ipv6)
  for (const { address, prefix } of addresses) addAddress(messages, { name }, address, prefix)
  return messages
}

/** The default route of a family. */
export function defaultRoute(messages: Messages, name: string, gateway: Address | Address['family']): Messages {
  const family = typeof gateway === 'number' ? gateway : gateway.family
  const straight = typeof gateway === 'number'
  return messages.add(RTM.newRoute, Flag.create | Flag.replace, routeHeader(family, 0, straight ? 253 : 0), (to) => {
    if (!straight) to.bytes(RTA.gateway, addressBytes(gateway))
    to.u32Later(RTA.oif, 'link', name)
  })
}

/** Removes the default route of a family, whichever link it goes by. */
export function dropDefaultRoute(messages: Messages, family: Address['family']): Messages {
  return messages.add(RTM.delRoute, 0, Buffer.from([AF[family], 0, 0, 0, 254, 0, 255, 0, 0, 0, 0, 0]))
}

/** Takes a link of the container's away. */
export function deleteInside(name: string): Messages {
  return deleteLink(name)
}

/** Subnets that this host reaches without a default route. */
export function hostSubnets(): Subnet[] {
  const found: Subnet[] = []
  for (const family of [4, 6] as const) {
    const request = route().add(
      RTM.getRoute,
      Flag.root | Flag.match,
      Buffer.from([AF[family], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    )
    for (const { header, attributes } of parseAnswers(
      netlink(Netlink.route, 'routes of the host', request.done(), [97, 95]),
      12,
    )) {
      const to = attributes.get(RTA.destination)
      const prefix = header[1] ?? 0
      // The default route overlaps with everything; addresses of its own and multicast are in other tables.
      if (to === undefined || prefix === 0 || header[4] !== 254) continue
      found.push(subnetAround({ family, value: BigInt(`0x${to.toString('hex')}`) }, prefix))
    }
  }
  return found
}

/** First address of a family on a link, as text. */
export function addressOnLink(index: number, family: 4 | 6): string | undefined {
  const header = Buffer.alloc(8)
  header[0] = AF[family]
  header.writeUInt32LE(index, 4)
  const answers = netlink(
    Netlink.route,
    'addresses',
    route()
      .add(RTM.getAddress, Flag.root | Flag.match, header)
      .done(),
  )
  for (const answer of parseAnswers(answers, 8)) {
    const bytes = answer.attributes.get(IFA.local) ?? answer.attributes.get(IFA.address)
    if (answer.header.readUInt32LE(4) !== index || bytes === undefined) continue
    return formatAddress({ family, value: BigInt(`0x${bytes.toString('hex')}`) })
  }
  return undefined
}
