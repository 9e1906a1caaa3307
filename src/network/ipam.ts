import { invalidArgument, JubakoError } from '../errors/index.js'
import {
  type Address,
  contains,
  type Family,
  formatAddress,
  formatSubnet,
  lastOf,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
} from './address.js'
import type { IpamPool, NetworkConfig } from './config.js'

/** Docker's pools for networks without a subnet: 172.17-31 as /16, 192.168 in /20. */
export const defaultPools4 = (): Subnet[] => [
  ...Array.from({ length: 15 }, (_, at) => parseSubnet(`172.${17 + at}.0.0/16`)),
  ...Array.from({ length: 16 }, (_, at) => parseSubnet(`192.168.${16 * at}.0/20`)),
]

/** The first of the pools that meets nothing that is used. */
export function chooseSubnet4(used: readonly Subnet[]): Subnet {
  const free = defaultPools4().find((pool) => !used.some((other) => overlaps(pool, other)))
  if (free !== undefined) return free
  throw new JubakoError('ERR_JUBAKO_CONFLICT', 'all predefined address pools have been fully subnetted', {
    hint: 'remove networks that nobody uses (network prune), or give one with --subnet',
  })
}

/**
 * A /64 of unique local addresses (RFC 4193).
 *
 * @param seed five bytes that tell this store from others
 */
export function chooseSubnet6(used: readonly Subnet[], seed: Buffer): Subnet {
  const site = (0xfdn << 120n) | (BigInt(`0x${seed.toString('hex')}`) << 80n)
  for (let at = 0n; at < 65536n; at++) {
    const subnet: Subnet = { family: 6, base: site | (at << 64n), prefix: 64 }
    if (!used.some((other) => overlaps(subnet, other))) return subnet
  }
  throw new JubakoError('ERR_JUBAKO_CONFLICT', 'all predefined address pools have been fully subnetted')
}

/** What a pool's text means. */
export interface Pool {
  subnet: Subnet
  range: Subnet
  gateway: Address
  aux: Address[]
}

const inSubnet = (subnet: Subnet, text: string, what: string): Address => {
  const address = parseAddress(text)
  if (address === undefined) throw invalidArgument(`invalid ${what} address: ${text}`)
  if (!contains(subnet, address)) throw invalidArgument(`no matching subnet for ${what} ${text}`)
  return address
}

/** @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT */
export function readPool(pool: IpamPool): Pool {
  const subnet = parseSubnet(pool.subnet)
  const range = pool.ipRange === undefined ? subnet : parseSubnet(pool.ipRange)
  if (!contains(subnet, { family: range.family, value: range.base }) || range.prefix < subnet.prefix) {
    throw invalidArgument(`no matching subnet for range ${pool.ipRange}`)
  }
  return {
    subnet,
    range,
    gateway:
      pool.gateway === undefined
        ? { family: subnet.family, value: subnet.base + 1n }
        : inSubnet(subnet, pool.gateway, 'gateway'),
    aux: Object.values(pool.auxAddresses ?? {}).map((text) => inSubnet(subnet, text, 'aux-address')),
  }
}

export function poolsOf(network: NetworkConfig, family: Family): Pool[] {
  return network.pools.map(readPool).filter(({ subnet }) => subnet.family === family)
}

/**
 * Addresses to try, one after the other.
 *
 * @param taken as text
 */
export function* freeAddresses({ subnet, range, gateway, aux }: Pool, taken: ReadonlySet<string>): Generator<Address> {
  const { family } = subnet
  // The network's own address and, of IPv4, the broadcast address are nobody's.
  const narrow = family === 4 ? subnet.prefix >= 31 : subnet.prefix >= 127
  const last = family === 4 && !narrow ? lastOf(subnet) - 1n : lastOf(subnet)
  const to = lastOf(range) < last ? lastOf(range) : last
  for (let value = range.base; value <= to; value++) {
    if (value === subnet.base && !narrow) continue
    if (value === gateway.value || aux.some((one) => one.value === value)) continue
    const address = { family, value }
    if (!taken.has(formatAddress(address))) yield address
  }
}

/** @throws JubakoError when the address is in none of the pools, or is the gateway's */
export function checkRequested(pools: readonly Pool[], text: string, network: string): Pool {
  const address = parseAddress(text)
  if (address === undefined) throw invalidArgument(`invalid IP address: ${text}`)
  const pool = pools.find(({ subnet }) => contains(subnet, address))
  if (pool === undefined) {
    throw invalidArgument(
      `invalid config for network ${network}: invalid endpoint settings:\nno configured subnet contains IP address ${text}`,
    )
  }
  if (address.value === pool.gateway.value || pool.aux.some(({ value }) => value === address.value))
    throw addressInUse()
  return pool
}

export const addressInUse = (): JubakoError =>
  new JubakoError('ERR_JUBAKO_CONFLICT', 'Address already in use', {
    hint: 'choose another --ip, or leave it to jubako',
  })

export const poolExhausted = (pool: Pool): JubakoError =>
  new JubakoError(
    'ERR_JUBAKO_CONFLICT',
    `no available IPv${pool.subnet.family} addresses on this network's address pools: ${formatSubnet(pool.subnet)}`,
    {
      hint: 'remove containers, or make a network with a larger --subnet',
    },
  )
