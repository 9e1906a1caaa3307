import { isIP } from 'node:net'
import type { PortOption } from '../../engine/network-types.js'

const MAX = 65535

function range(text: string, what: string, whole: string): [number, number] {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? []
  const [from, to] = [Number(first), Number(last)]
  if (first === undefined || from > MAX || to > MAX) throw new Error(`invalid ${what}: ${text}`)
  if (to < from) throw new Error(`invalid ${what}: ${text} in '${whole}': the range ends before it begins`)
  return [from, to]
}

/** Splits `address:host:container`; an IPv6 address stands in brackets. */
function split(text: string): [address: string, host: string, container: string] {
  const bracket = /^\[([^\]]*)\]:(.*)$/.exec(text)
  const rest = (bracket?.[2] ?? text).split(':')
  const container = rest.pop()!
  const host = rest.pop() ?? ''
  const address = bracket?.[1] ?? rest.join(':')
  return [address, host, container]
}

/**
 * One `--publish`: `[[address:][host port]:]container port[/protocol]`, with ranges of equal length, or one host range for
 * a single port; or the long form `target=80,published=8080,protocol=udp`.
 */
export function parsePublish(text: string): PortOption[] {
  if (text.includes('=')) return parseLong(text)
  const [value = '', protocol = 'tcp', ...more] = text.split('/')
  const word = protocol.toLowerCase()
  if (more.length > 0 || !['tcp', 'udp', 'sctp'].includes(word)) throw new Error(`invalid proto: ${protocol}`)
  const [address, host, container] = split(value)
  if (container === '') throw new Error(`no port specified: ${text}<empty>`)
  if (address !== '' && isIP(address) === 0) throw new Error(`invalid IP address: ${address}`)
  const [first, last] = range(container, 'containerPort', text)
  if (first === 0) throw new Error(`invalid containerPort: ${container}`)
  const [hostFirst, hostLast] = host === '' ? [0, 0] : range(host, 'hostPort', text)
  const given = { protocol: word as 'tcp', ...(address !== '' && { hostAddress: address }) }
  if (host !== '' && hostLast - hostFirst !== last - first) {
    if (first !== last)
      throw new Error(`invalid ranges specified for container and host Ports: ${container} and ${host}`)
    return [{ ...given, containerPort: first, hostPort: hostFirst, hostPortEnd: hostLast }]
  }
  return Array.from({ length: last - first + 1 }, (_, at) => ({
    ...given,
    containerPort: first + at,
    ...(hostFirst !== 0 && { hostPort: hostFirst + at }),
  }))
}

function parseLong(text: string): PortOption[] {
  const fields = new Map<string, string>()
  for (const field of text.split(',')) {
    const [key = '', value = ''] = field.split('=')
    if (!['target', 'published', 'protocol', 'mode'].includes(key.toLowerCase()) || value === '')
      throw new Error(`invalid field key: ${key}`)
    fields.set(key.toLowerCase(), value)
  }
  const mode = fields.get('mode')
  if (mode !== undefined && mode !== 'host' && mode !== 'ingress')
    throw new Error(`invalid publish mode value (${mode}): must be either 'ingress' or 'host'`)
  const target = fields.get('target')
  if (target === undefined) throw new Error('port is required')
  return parsePublish(
    `${fields.has('published') ? `${fields.get('published')}:` : ''}${target}/${fields.get('protocol') ?? 'tcp'}`,
  )
}

/** One `--expose`: `port[-port][/protocol]`. */
export function parseExpose(text: string): string {
  const [ports = '', protocol = 'tcp'] = text.split('/')
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) throw new Error(`invalid proto: ${protocol}`)
  range(ports, 'range format for --expose', text)
  return text
}
