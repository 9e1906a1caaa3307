import { isIP } from 'node:net'
import type { IpamPool, NetworkAttachment } from '../../engine/network-types.js'
import { parseCsvLine } from './csv.js'
import { parsePair } from './labels.js'

/** `--network`: a name, or `name=...,alias=...,ip=...`. */
export function parseNetwork(text: string): NetworkAttachment {
  if (!text.includes('=')) return { name: text }
  const out: NetworkAttachment = { name: '' }
  for (const field of parseCsvLine(text)) {
    const at = field.indexOf('=')
    const key = field
      .slice(0, at < 0 ? undefined : at)
      .trim()
      .toLowerCase()
    const value = at < 0 ? '' : field.slice(at + 1).trim()
    if (at < 0) throw new Error(`invalid field ${field}`)
    switch (key) {
      case 'name':
        out.name = value
        break
      case 'alias':
        out.aliases = [...(out.aliases ?? []), value]
        break
      case 'ip':
        out.ip = parseFamily(4)(value)
        break
      case 'ip6':
        out.ip6 = parseFamily(6)(value)
        break
      case 'mac-address':
        out.macAddress = parseMacAddress(value)
        break
      case 'driver-opt': {
        const [name, setting] = parsePair(value)
        out.driverOpts = { ...out.driverOpts, [name]: setting }
        break
      }
      case 'gw-priority':
        if (!/^[+-]?\d+$/.test(value)) throw new Error(`invalid gw-priority: ${value}`)
        out.gwPriority = Number(value)
        break
      default:
        throw new Error(`invalid field key ${key}`)
    }
  }
  if (out.name === '') throw new Error('network name/id is not specified')
  return out
}

export const parseFamily =
  (family: 4 | 6) =>
  (text: string): string => {
    if (text !== '' && isIP(text) !== family) throw new Error(`invalid IPv${family} address: ${text}`)
    return text
  }

export function parseMacAddress(text: string): string {
  if (!/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(text)) throw new Error(`${text} is not a valid mac address`)
  return text
}

interface Cidr {
  family: number
  bits: bigint
  prefix: number
}

function cidr(text: string): Cidr | undefined {
  const [address = '', prefix] = text.split('/')
  const family = isIP(address)
  const width = family === 4 ? 32 : 128
  if (family === 0 || (prefix !== undefined && !(Number(prefix) >= 0 && Number(prefix) <= width))) return undefined
  const length = prefix === undefined ? width : Number(prefix)
  return { family, prefix: length, bits: number(address, family) >> BigInt(width - length) }
}

function number(address: string, family: number): bigint {
  if (family === 4) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
  const [head = '', tail] = address.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const [left, right] = [groups(head), tail === undefined ? [] : groups(tail)]
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
}

/** Whether `inner` (an address or range) lies in `outer`. */
function within(outer: string, inner: string): boolean {
  const [a, b] = [cidr(outer), cidr(inner)]
  if (a === undefined || b === undefined || a.family !== b.family || b.prefix < a.prefix) return false
  return b.bits >> BigInt(b.prefix - a.prefix) === a.bits
}

/** Puts `--subnet`, `--ip-range`, `--gateway` and `--aux-address` together, each by the subnet it lies in. */
export function ipamPools(
  subnets: readonly string[],
  ranges: readonly string[],
  gateways: readonly string[],
  aux: Readonly<Record<string, string>>,
): IpamPool[] {
  if (subnets.length < ranges.length || subnets.length < gateways.length)
    throw new Error('every ip-range or gateway must have a corresponding subnet')
  const pools = subnets.map((subnet): IpamPool => {
    if (!subnet.includes('/') || cidr(subnet) === undefined) throw new Error(`invalid CIDR address: ${subnet}`)
    return { subnet }
  })
  for (const [at, { subnet }] of pools.entries()) {
    if (pools.some((other, index) => index < at && (within(other.subnet, subnet) || within(subnet, other.subnet))))
      throw new Error('multiple overlapping subnet configuration is not supported')
  }
  const find = (text: string, what: string): IpamPool => {
    const pool = pools.find(({ subnet }) => within(subnet, text))
    if (pool === undefined) throw new Error(`no matching subnet for ${what} ${text}`)
    return pool
  }
  for (const text of ranges) {
    const pool = find(text, 'range')
    if (pool.ipRange !== undefined)
      throw new Error(`cannot configure multiple ranges (${text}, ${pool.ipRange}) on the same subnet (${pool.subnet})`)
    pool.ipRange = text
  }
  for (const text of gateways) {
    const pool = find(text, 'gateway')
    if (pool.gateway !== undefined)
      throw new Error(
        `cannot configure multiple gateways (${text}, ${pool.gateway}) for the same subnet (${pool.subnet})`,
      )
    pool.gateway = text
  }
  for (const [name, text] of Object.entries(aux)) {
    const pool = find(text, 'aux-address')
    pool.auxAddresses = { ...pool.auxAddresses, [name]: text }
  }
  return pools
}
