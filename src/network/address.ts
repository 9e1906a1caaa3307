import { isIP, isIPv4 } from 'node:net'
import { invalidArgument } from '../errors/index.js'

export type Family = 4 | 6

/** An address as a number, with its family. */
export interface Address {
  family: Family
  value: bigint
}

/** A range of addresses in CIDR form. */
export interface Subnet {
  family: Family
  /** The first address. */
  base: bigint
  /** Bits of the network part. */
  prefix: number
}

const bitsOf = (family: Family): number => (family === 4 ? 32 : 128)

/** undefined: `text` is no address. */
export function parseAddress(text: string): Address | undefined {
  const family = isIP(text)
  if (family === 0) return undefined
  if (family === 4) return { family: 4, value: text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n) }
  return { family: 6, value: parseV6(text.replace(/%.*$/, '')) }
}

function parseV6(text: string): bigint {
  // The last four bytes may be written as IPv4.
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (dotted !== null) {
    const value = parseAddress(dotted[2]!)!.value
    return parseV6(`${dotted[1]}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`)
  }
  const [head = '', tail] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const gap = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array<string>(gap).fill('0'), ...right].reduce(
    (sum, group) => (sum << 16n) | BigInt(`0x${group}`),
    0n,
  )
}

/** The shortest usual form (RFC 5952). */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.')
  const groups = Array.from({ length: 8 }, (_, at) => ((value >> BigInt(112 - 16 * at)) & 0xffffn).toString(16))
  const zeros = /(^|:)0(:0)+(:|$)/g
  const text = groups.join(':')
  let longest = ''
  for (const [match] of text.matchAll(zeros)) if (match.length > longest.length) longest = match
  return longest === '' ? text : text.replace(longest, '::')
}

/** Network byte order: 4 or 16 bytes. */
export function addressBytes({ family, value }: Address): Buffer {
  return Buffer.from(value.toString(16).padStart(bitsOf(family) / 4, '0'), 'hex')
}

/**
 * `10.1.2.0/24`.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT also when bits behind the prefix are set
 */
export function parseSubnet(text: string): Subnet {
  const [, host, length] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  const address = host === undefined ? undefined : parseAddress(host)
  const prefix = Number(length)
  if (address === undefined || prefix > bitsOf(address.family)) throw invalidArgument(`invalid CIDR address: ${text}`)
  const base = maskOf(address, prefix)
  if (base !== address.value) {
    const right = `${formatAddress({ family: address.family, value: base })}/${prefix}`
    throw invalidArgument(`invalid network config:\ninvalid subnet ${text}: it should be ${right}`)
  }
  return { family: address.family, base, prefix }
}

/** An address with the length of its network: `172.17.0.2/16`, as the kernel lists it; host bits may be set. */
export function subnetAround(address: Address, prefix: number): Subnet {
  return { family: address.family, base: maskOf(address, prefix), prefix }
}

function maskOf({ family, value }: Address, prefix: number): bigint {
  const host = BigInt(bitsOf(family) - prefix)
  return (value >> host) << host
}

export const formatSubnet = ({ family, base, prefix }: Subnet): string =>
  `${formatAddress({ family, value: base })}/${prefix}`

/** The last address. */
export const lastOf = ({ family, base, prefix }: Subnet): bigint => base + (1n << BigInt(bitsOf(family) - prefix)) - 1n

export const contains = (subnet: Subnet, address: Address): boolean =>
  subnet.family === address.family && address.value >= subnet.base && address.value <= lastOf(subnet)

export const overlaps = (a: Subnet, b: Subnet): boolean =>
  a.family === b.family && a.base <= lastOf(b) && b.base <= lastOf(a)

/** Docker's address of an endpoint's card: local, and the same whenever the IPv4 address is. */
export function macOf(address: Address): string {
  const low = address.value & 0xffffffffn
  return ['02', '42', ...[24n, 16n, 8n, 0n].map((shift) => ((low >> shift) & 255n).toString(16).padStart(2, '0'))].join(
    ':',
  )
}

/** @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT */
export function parseMac(text: string): Buffer {
  if (!/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(text)) throw invalidArgument(`${text} is not a valid mac address`)
  return Buffer.from(text.replaceAll(/[:-]/g, ''), 'hex')
}

export const isV4 = isIPv4
