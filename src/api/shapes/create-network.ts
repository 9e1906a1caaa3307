import type { NetworkAttachment, NetworkOptions, PortOption } from '../../engine/network-types.js'
import { badRequest } from '../errors.js'
import type { Fields } from '../fields.js'

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const

/** A key of `PortBindings`: `80/tcp`. */
function containerPort(text: string): Pick<PortOption, 'containerPort' | 'protocol'> {
  const [port = '', name = 'tcp'] = text.split('/')
  const protocol = PROTOCOLS.find((it) => it === name.toLowerCase())
  if (!/^\d{1,5}$/.test(port) || protocol === undefined) throw badRequest(`invalid port specification: "${text}"`)
  return { containerPort: Number(port), protocol }
}

/** `''` for any port, one port, or a range. */
function hostPort(text: string): { hostPort?: number; hostPortEnd?: number } {
  if (text === '' || text === '0') return {}
  const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  if (found === null) throw badRequest(`invalid port specification: "${text}"`)
  return { hostPort: Number(found[1]), ...(found[2] !== undefined && { hostPortEnd: Number(found[2]) }) }
}

function ports(host: Fields): PortOption[] {
  return host.lists('PortBindings').flatMap(([key, bindings]) => {
    const port = containerPort(key)
    // A port without a binding is published at any.
    if (bindings.length === 0) return [port]
    return bindings.map((it) => {
      const address = it.string('HostIp') ?? ''
      return { ...port, ...hostPort(it.string('HostPort') ?? ''), ...(address !== '' && { hostAddress: address }) }
    })
  })
}

/** An EndpointSettings object: how a container takes part in a network. */
export function endpoint(fields: Fields): Omit<NetworkAttachment, 'name'> {
  const ipam = fields.fields('IPAMConfig')
  const [ip, ip6] = [ipam.string('IPv4Address'), ipam.string('IPv6Address')]
  const [aliases, links, driverOpts] = [fields.strings('Aliases'), fields.strings('Links'), fields.map('DriverOpts')]
  const [macAddress, gwPriority] = [fields.string('MacAddress'), fields.int('GwPriority')]
  return {
    ...(aliases !== undefined && { aliases }),
    ...(ip && { ip }),
    ...(ip6 && { ip6 }),
    ...(macAddress && { macAddress }),
    ...(links !== undefined && links.length > 0 && { links }),
    ...(driverOpts !== undefined && { driverOpts }),
    ...(gwPriority !== undefined && { gwPriority }),
  }
}

const SHARED = /^(none|host|container:.*)$/

/** The network part of a request. */
export function networkOptions(body: Fields, host: Fields): NetworkOptions {
  const out: NetworkOptions = {}
  const mode = host.string('NetworkMode') ?? ''
  const network = body.bool('NetworkDisabled') ? 'none' : mode === 'default' || mode === '' ? 'bridge' : mode
  const endpoints = body.fields('NetworkingConfig').entries('EndpointsConfig')
  const macAddress = body.string('MacAddress')
  if (SHARED.test(network)) {
    out.network = network
  } else {
    const named = endpoints.map(([name, fields]) => ({
      name: name === 'default' ? 'bridge' : name,
      ...endpoint(fields),
    }))
    const at = named.findIndex(({ name }) => name === network)
    const first = at < 0 ? { name: network } : named[at]!
    // The network of the mode is the first one, whatever else there is.
    out.networks = [{ ...first, ...(macAddress && { macAddress }) }, ...named.filter((_, index) => index !== at)]
  }
  const published = ports(host)
  if (published.length > 0) out.ports = published
  if (host.bool('PublishAllPorts')) out.publishAll = true
  const expose = body.keys('ExposedPorts')
  if (expose !== undefined && expose.length > 0) out.expose = expose
  const links = host.strings('Links')
  if (links !== undefined && links.length > 0) out.links = links
  return out
}
