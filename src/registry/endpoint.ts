import { BlockList, isIP } from 'node:net'
import { JubakoError } from '../errors/index.js'
import type { RegistryOptions } from './options.js'

/** A base URL under which a registry may answer. */
export interface Endpoint {
  /** `https://host[:port]`, with a mirror's path if it has one; no slash at the end. */
  base: string
  /** Accept any certificate. */
  anyCertificate: boolean
  /** A mirror: asked first, and left aside when it fails. */
  mirror: boolean
}

const DOCKER_HUB = 'docker.io'
const DOCKER_HUB_HOST = 'registry-1.docker.io'

/** Where a registry is looked for, in order. */
export function endpointsOf(registry: string, options: RegistryOptions): Endpoint[] {
  const own = registry === DOCKER_HUB ? DOCKER_HUB_HOST : registry
  const insecure = isInsecure(registry, options)
  const endpoints = (options.mirrors?.[registry] ?? []).map((base) => mirrorEndpoint(base, options))
  endpoints.push({ base: `https://${own}`, anyCertificate: insecure, mirror: false })
  if (insecure) endpoints.push({ base: `http://${own}`, anyCertificate: true, mirror: false })
  return endpoints
}

function mirrorEndpoint(base: string, options: RegistryOptions): Endpoint {
  let url: URL
  try {
    url = new URL(base)
  } catch (cause) {
    throw new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', `not the URL of a registry mirror: ${base}`, { cause })
  }
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new JubakoError(
      'ERR_JUBAKO_INVALID_ARGUMENT',
      `not the URL of a registry mirror: ${url.protocol}//${url.host}`,
    )
  }
  const path = url.pathname.replace(/\/+$/, '')
  return { base: url.origin + path, anyCertificate: isInsecure(url.host, options), mirror: true }
}

/** Whether plain http and any certificate are good enough for a host. */
export function isInsecure(host: string, options: RegistryOptions): boolean {
  const names = [host, hostName(host)]
  return isLoopback(host) || (options.insecure ?? []).some((entry) => names.includes(entry) || inNetwork(host, entry))
}

/** Whether a host that is an address lies in `network/prefix`. */
function inNetwork(host: string, entry: string): boolean {
  const [network, prefix] = entry.split('/') as [string, string?]
  const address = hostName(host).replace(/^\[|\]$/g, '')
  const family = isIP(address)
  if (prefix === undefined || family === 0 || family !== isIP(network)) return false
  const type = family === 6 ? 'ipv6' : 'ipv4'
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), type)
  return list.check(address, type)
}

/** `localhost`, 127.0.0.0/8 or `::1`, with any port. */
export function isLoopback(host: string): boolean {
  const name = hostName(host)
  return name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name)
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, '')
}
