import { readFileSync, statSync } from 'node:fs'
import type { RunNetwork } from '../network/index.js'
import type { ContainerConfig, ManagedFiles } from '../runtime/index.js'
import type { EngineContext } from './context.js'

const loopback = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return fallback
  }
}

const RESOLVER = '127.0.0.11'
const isLoopback = (address: string): boolean => /^(127\.|::1$)/.test(address)
const nameservers = (text: string): string[] => [...text.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1]!)

let seen: { stamp: string; text: string } | undefined

/** The host's /etc/resolv.conf, read again when it has changed. */
function hostResolvConf(): string {
  const path = '/etc/resolv.conf'
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stat === undefined) return ''
  const stamp = `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`
  if (seen?.stamp !== stamp) seen = { stamp, text: readOr(path, '') }
  return seen.text
}

/** Name servers of this host, also those at loopback addresses. */
export const hostResolvers = (): string[] => nameservers(hostResolvConf())

/**
 * /etc/resolv.conf.
 *
 * @param network how the container asks: as the host does, from a network of its own, or by the name service at
 * 127.0.0.11
 */
function resolvConf(config: ContainerConfig, network: 'host' | 'own' | 'service'): string {
  const host = hostResolvConf()
  const changed = config.dns.length + config.dnsSearch.length + config.dnsOptions.length > 0
  if (network === 'host' && !changed) return host
  const keep = (word: string) => host.split('\n').filter((line) => line.startsWith(`${word} `))
  const servers =
    config.dns.length > 0 ? config.dns : nameservers(host).filter((one) => network === 'host' || !isLoopback(one))
  const search = config.dnsSearch.filter((domain) => domain !== '.')
  const options = config.dnsOptions.length > 0 ? [`options ${config.dnsOptions.join(' ')}`] : keep('options')
  const hasDots = options.some((line) => line.includes('ndots:'))
  const lines = [
    ...(network === 'service' ? [RESOLVER] : servers).map((address) => `nameserver ${address}`),
    ...(config.dnsSearch.length > 0 ? (search.length > 0 ? [`search ${search.join(' ')}`] : []) : keep('search')),
    ...(network !== 'service' || hasDots
      ? options
      : [[...(options.length > 0 ? options : ['options']), 'ndots:0'].join(' ')]),
  ]
  return `${lines.join('\n')}\n`
}

/** The new text of /etc/resolv.conf, or nothing when a person has changed it. */
export function resolvConfText(context: EngineContext, config: ContainerConfig, service: boolean): string[] {
  const { resolvConf: path } = context.store.places.of(config.id)
  const now = readOr(path, '')
  const ours = [resolvConf(config, 'host'), resolvConf(config, 'own'), resolvConf(config, 'service')]
  const text = resolvConf(config, service ? 'service' : 'own')
  return now === text || (context.store.wasStarted(config.id) && !ours.includes(now)) ? [] : [text]
}

const nameOf = (config: ContainerConfig): string =>
  config.domainname === '' ? config.hostname : `${config.hostname}.${config.domainname} ${config.hostname}`

/** /etc/hosts with the container's own addresses, those it is linked with, and the user's lines. */
export function hostsText(context: EngineContext, config: ContainerConfig, run: RunNetwork | undefined): string {
  const base = config.network === 'host' ? readOr('/etc/hosts', loopback) : loopback
  const endpoints = run?.endpoints ?? []
  const gateway = endpoints.find(({ ipv4 }) => ipv4 !== null)?.ipv4?.gateway ?? endpoints[0]?.ipv6?.gateway
  const extra = config.extraHosts.flatMap((entry) => {
    const at = entry.includes('=') ? entry.indexOf('=') : entry.indexOf(':')
    const address = entry.slice(at + 1)
    const known = address === 'host-gateway' ? (config.network === 'host' ? '127.0.0.1' : gateway) : address
    return known === undefined ? [] : [`${known}\t${entry.slice(0, at)}\n`]
  })
  const own = endpoints.flatMap(({ ipv4, ipv6 }) =>
    [ipv4, ipv6].flatMap((one) => (one === null ? [] : [`${one.address}\t${nameOf(config)}\n`])),
  )
  return base + [...extra, ...linkLines(context, endpoints), ...own].join('')
}

/** Links of the default network, where there is no name service. */
function linkLines(context: EngineContext, endpoints: RunNetwork['endpoints']): string[] {
  return endpoints
    .filter(({ names }) => names.length === 0)
    .flatMap(({ network, links }) =>
      links.flatMap((link) => {
        const [target = '', alias = target.replace(/^\//, '')] = link.split(':')
        const other = context.store.find(target)
        const path = `${context.store.places.of(other.id).run}/network.json`
        const found = JSON.parse(readOr(path, '{"endpoints":[]}')) as RunNetwork
        const address = found.endpoints.find((endpoint) => endpoint.network === network)?.ipv4?.address
        return address === undefined
          ? []
          : [`${address}\t${[...new Set([alias, other.id.slice(0, 12), other.name])].join(' ')}\n`]
      }),
    )
}

/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a new container. */
export function managedFiles(context: EngineContext, config: ContainerConfig): ManagedFiles {
  return {
    hosts: hostsText(context, config, undefined),
    hostname: `${config.hostname}\n`,
    resolvConf: resolvConf(config, 'host'),
  }
}
