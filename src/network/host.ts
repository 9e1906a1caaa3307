/** What networks need of the host: bridges, rules, switches in /proc/sys. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { isJubakoError, JubakoError } from '../errors/index.js'
import { linkIndex, Netlink, netlink } from '../native/index.js'
import { macOf, parseMac } from './address.js'
import { bridgeOptions, type NetworkConfig, optionFlag } from './config.js'
import { readPool } from './ipam.js'
import { type BridgeLink, configureBridge, createBridge, deleteLink } from './links.js'
import { parseAnswers } from './message.js'
import { Transaction } from './nft.js'
import {
  addNetwork,
  askTable,
  buildTable,
  forwardRules,
  type NetworkRules,
  type PublishedPort,
  removeNetwork,
} from './ruleset.js'

const E = {
  perm: 1,
  noent: 2,
  exist: 17,
  nodev: 19,
  opnotsupp: 95,
  protonosupport: 93,
  afnosupport: 97,
  inval: 22,
} as const

/** Whether this host has IPv6. */
export const hasIpv6 = (): boolean => existsSync('/proc/sys/net/ipv6')

export function mtuOf(network: NetworkConfig): number {
  return Number(network.options[bridgeOptions.mtu] ?? 1500)
}

export function rulesOf(network: NetworkConfig): NetworkRules {
  return {
    bridge: network.bridge,
    subnets: network.pools.map((pool) => readPool(pool).subnet),
    internal: network.internal,
    masquerade: optionFlag(network, bridgeOptions.masquerade, true),
    icc: optionFlag(network, bridgeOptions.icc, true),
  }
}

function bridgeOf(network: NetworkConfig): BridgeLink {
  const pools = network.pools.map(readPool)
  const first = pools.find(({ subnet }) => subnet.family === 4) ?? pools[0]!
  const inhibited = optionFlag(network, bridgeOptions.inhibitIpv4, false)
  return {
    name: network.bridge,
    mtu: mtuOf(network),
    mac: parseMac(macOf(first.gateway)),
    addresses: pools
      .filter(({ subnet }) => !(inhibited && subnet.family === 4))
      .map(({ gateway, subnet }) => ({ address: gateway, prefix: subnet.prefix })),
    ipv6: hasIpv6() ? network.ipv6 : undefined,
  }
}

function write(path: string, value: string): void {
  try {
    if (readFileSync(path, 'utf8').trim() !== value) writeFileSync(path, value)
  } catch (cause) {
    throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', `cannot set ${path} to ${value}`, {
      cause,
      path,
      hint: 'bridge networks need it: is /proc/sys read-only here? Use --network none or host',
    })
  }
}

/** Explains the errors that say that this machine cannot have bridges. */
function explain(error: unknown, what: string): unknown {
  if (!isJubakoError(error)) return error
  const because: Record<number, string> = {
    [E.perm]: 'it needs CAP_NET_ADMIN',
    [E.opnotsupp]: 'the kernel lacks a part of it (bridge, veth, nf_tables, nft_nat, nft_fib)',
    [E.protonosupport]: 'the kernel has no nf_tables',
    [E.afnosupport]: 'the kernel lacks a part of it (bridge, veth, nf_tables, nft_nat, nft_fib)',
    [E.noent]: 'the kernel lacks a part of nf_tables (nft_nat, nft_masq, nft_fib_inet, nft_ct)',
  }
  const reason = because[error.errno ?? 0]
  if (reason === undefined) return error
  return new JubakoError('ERR_JUBAKO_UNSUPPORTED', `${what}: ${reason}`, {
    cause: error,
    errno: error.errno,
    syscall: error.syscall,
    hint: 'use --network none or --network host',
  })
}

/** Whether bridge and rules of a network are there. */
export function isBuilt(table: string, network: NetworkConfig): boolean {
  if (linkIndex(network.bridge) === 0) return false
  const answers = parseAnswers(
    netlink(Netlink.netfilter, 'nf_tables', askTable(table, network.bridge).done(), [E.noent, E.opnotsupp, E.inval]),
    4,
  )
  if (answers.length < 2) return false
  const uses = answers.find(({ type }) => (type & 0xff) === 3)?.attributes.get(6)
  return uses !== undefined && uses.readUInt32BE(0) === forwardRules
}

/** Makes the bridge of a network, unless it is there, and what it needs in /proc/sys. */
export function buildBridge(network: NetworkConfig, forwardingMark: string): void {
  const what = `cannot make the bridge ${network.bridge} of network ${network.name}`
  try {
    const link = bridgeOf(network)
    netlink(Netlink.route, what, createBridge(link).done(), [E.exist])
    const index = linkIndex(network.bridge)
    netlink(Netlink.route, what, configureBridge(link, index).done(), [E.exist])
  } catch (error) {
    throw explain(error, what)
  }
  const conf = `/proc/sys/net/ipv4/conf/${network.bridge}`
  // So that published ports answer at 127.0.0.1; the rule `raw` keeps containers from the host's loopback.
  write(`${conf}/route_localnet`, '1')
  switchForwarding('/proc/sys/net/ipv4/ip_forward', forwardingMark)
  if (network.ipv6 && hasIpv6()) switchForwarding('/proc/sys/net/ipv6/conf/all/forwarding', forwardingMark)
}

/** As docker does. A host that did not forward before forwards for containers only: the mark says so. */
function switchForwarding(path: string, mark: string): void {
  if (readFileSync(path, 'utf8').trim() === '1') return
  writeFileSync(mark, '', { mode: 0o600 })
  write(path, '1')
}

/** Removes a network's bridge. */
export function removeBridge(network: NetworkConfig): void {
  netlink(Netlink.route, `bridge ${network.bridge}`, deleteLink(network.bridge).done(), [E.nodev])
}

/** Makes the whole table, or adds what it lacks. */
export function buildRules(
  table: string,
  networks: readonly NetworkConfig[],
  ports: readonly PublishedPort[],
  forwardingMark: string,
): void {
  const transaction = buildTable(table, networks.map(rulesOf), ports, existsSync(forwardingMark))
  try {
    netlink(Netlink.netfilter, `table ${table}`, transaction.end().done())
  } catch (error) {
    throw explain(error, 'cannot make the rules for bridge networks')
  }
}

export function addRules(table: string, network: NetworkConfig): void {
  netlink(Netlink.netfilter, `table ${table}`, addNetwork(new Transaction(table), rulesOf(network)).end().done())
}

export function removeRules(table: string, network: NetworkConfig): void {
  for (const transaction of removeNetwork(table, rulesOf(network))) {
    netlink(Netlink.netfilter, `table ${table}`, transaction.end().done(), [E.noent])
  }
}

/** Removes the table with everything in it. */
export function removeTable(table: string): void {
  netlink(Netlink.netfilter, `table ${table}`, new Transaction(table).delTable().end().done(), [E.noent, E.opnotsupp])
}
