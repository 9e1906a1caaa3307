import { readFileSync } from 'node:fs'
import type { ContainerConfig, ManagedFiles } from '../runtime/index.js'

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

function resolvConf(config: ContainerConfig): string {
  const host = readOr('/etc/resolv.conf', '')
  if (config.dns.length === 0 && config.dnsSearch.length === 0 && config.dnsOptions.length === 0) return host
  const keep = (word: string) => host.split('\n').filter((line) => line.startsWith(`${word} `))
  const lines = [
    ...(config.dns.length > 0 ? config.dns.map((address) => `nameserver ${address}`) : keep('nameserver')),
    ...(config.dnsSearch.length > 0 ? [`search ${config.dnsSearch.join(' ')}`] : keep('search')),
    ...(config.dnsOptions.length > 0 ? [`options ${config.dnsOptions.join(' ')}`] : keep('options')),
  ]
  return `${lines.join('\n')}\n`
}

/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a new container. */
export function managedFiles(config: ContainerConfig): ManagedFiles {
  const hosts = config.network === 'host' ? readOr('/etc/hosts', loopback) : loopback
  const extra = config.extraHosts.map((entry) => {
    const at = entry.includes('=') ? entry.indexOf('=') : entry.indexOf(':')
    return `${entry.slice(at + 1)}\t${entry.slice(0, at)}\n`
  })
  return { hosts: hosts + extra.join(''), hostname: `${config.hostname}\n`, resolvConf: resolvConf(config) }
}
