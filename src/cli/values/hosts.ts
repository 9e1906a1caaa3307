import { isIP } from 'node:net'

/**
 * One `--add-host`: `name:address` or `name=address`; the address of IPv6 may stand in brackets; `host-gateway` is the host.
 *
 * @returns `name:address`
 */
export function parseAddHost(text: string): string {
  const at = text.search(/[:=]/)
  if (at < 1) throw new Error(`bad format for add-host: "${text}" (name:address)`)
  const name = text.slice(0, at)
  const address = text.slice(at + 1).replace(/^\[(.*)\]$/, '$1')
  if (address !== 'host-gateway' && isIP(address) === 0) throw new Error(`invalid IP address in add-host: "${address}"`)
  return `${name}:${address}`
}

/** One `--dns`: an address. */
export function parseIp(text: string): string {
  if (isIP(text) === 0) throw new Error(`${text} is not an IP address`)
  return text
}
