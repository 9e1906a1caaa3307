/** What networks need of the host: bridges, rules, switches in /proc/sys. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { isJubakoError, JubakoError } from '../errors/index.js'
import { linkIndex, Netlink, netlink } from '../native/index.js'
import { macOf, parseMac } from './address.js'
import { bridgeOptions, type NetworkConfig, optionFlag } from './config.js'
import { readPool } from './ipam.js'
import { type BridgeLink, configureBridge, createBridge, deleteLink } from './links.js'
import type { NetworkRules } from './ruleset.js'

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

/**
 * Networks with IPv6 need a host that has it switched on.
 *
 * @throws JubakoError ERR_JUBAKO_UNSUPPORTED
 */
export function checkIpv6(): void {
  const all = '/proc/sys/net/ipv6/conf/all/disable_ipv6'
  const has = hasIpv6()
  if (has && readFileSync(all, 'utf8').trim() === '0') return
  throw new JubakoError('ERR_JUBAKO_UNSUPPORTED', has ? 'IPv6 is disabled on this host' : 'this host has no IPv6', {
    path: all,
    hint: `leave --ipv6 and subnets of IPv6 away${has ? ', or set net.ipv6.conf.all.disable_ipv6 to 0' : ''}`,
  })
}

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
export function explain(error: unknown, what: string): unknown {
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

/** Whether the bridge of a network is there. */
export const hasBridge = (network: NetworkConfig): boolean => linkIndex(network.bridge) !== 0

/** Makes the bridge of a network, unless it is there, and what it needs in /proc/sys. */
export function buildBridge(network: NetworkConfig): void {
  if (network.ipv6) checkIpv6()
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
}

/**
 * As docker does. A host that did not forward before forwards for containers only.
 *
 * @param mark file that says so afterwards
 */
export function switchForwarding(network: NetworkConfig, mark: string): void {
  switchOn('/proc/sys/net/ipv4/ip_forward', mark)
  if (network.ipv6 && hasIpv6()) switchOn('/proc/sys/net/ipv6/conf/all/forwarding', mark)
}

function switchOn(path: string, mark: string): void {
  if (readFileSync(path, 'utf8').trim() === '1') return
  writeFileSync(mark, '', { mode: 0o600 })
  write(path, '1')
}

/** Removes a network's bridge. */
export function removeBridge(network: NetworkConfig): void {
  netlink(Netlink.route, `bridge ${network.bridge}`, deleteLink(network.bridge).done(), [E.nodev])
}
