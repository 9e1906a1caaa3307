import type { NetworkCreateOptions, NetworkSummary } from '../../engine/network-types.js'
import type { Call } from '../call.js'
import { ApiError, badRequest } from '../errors.js'
import type { Fields } from '../fields.js'
import { pruneTest } from '../image-filters.js'
import { endpoint } from '../shapes/create-network.js'

const FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']
const PREDEFINED = new Set(['bridge', 'host', 'none'])

export async function networkList(call: Call): Promise<void> {
  const filters = call.query.filters(FILTERS)
  const any = (name: string, test: (value: string) => boolean) => !filters.has(name) || filters.get(name).some(test)
  const dangling = filters.flag('dangling')
  const found: Record<string, unknown>[] = []
  for (const it of await call.engine.networks.list()) {
    if (!call.resident.seesNetwork(it)) continue
    const matches =
      any('driver', (value) => it.driver === value) &&
      any('id', (value) => it.id.startsWith(value)) &&
      any('name', (value) => it.name.includes(value)) &&
      any('scope', (value) => it.scope === value) &&
      any('type', (value) => (value === 'builtin') === PREDEFINED.has(it.name)) &&
      filters.labels(it.labels)
    if (!matches) continue
    const shape = await (await call.engine.networks.get(it.id)).inspect()
    const unused = !PREDEFINED.has(it.name) && Object.keys((shape.Containers as object | null) ?? {}).length === 0
    if (dangling === undefined || dangling === unused) found.push(call.resident.shown(shape))
  }
  await call.reply.json(200, found)
}

export async function networkInspect(call: Call): Promise<void> {
  await call.reply.json(200, (await call.resident.network(call.params.id!)).shape)
}

function pools(ipam: Fields): NonNullable<NetworkCreateOptions['pools']> {
  return ipam.list('Config').flatMap((it) => {
    const [subnet, range, gateway] = [it.string('Subnet'), it.string('IPRange'), it.string('Gateway')]
    const auxiliary = it.map('AuxiliaryAddresses') ?? it.map('AuxAddress')
    if (!subnet) {
      if (range || gateway) throw badRequest('invalid network config: a subnet is needed')
      return []
    }
    return [
      {
        subnet,
        ...(range && { ipRange: range }),
        ...(gateway && { gateway }),
        ...(auxiliary && { auxAddresses: auxiliary }),
      },
    ]
  })
}

export async function networkCreate(call: Call): Promise<void> {
  const body = await call.json('NetworkCreateRequest', { required: true })
  const name = body.string('Name') ?? ''
  if (name === '') throw badRequest('invalid network name: a network needs a name')
  if (body.bool('Ingress') || body.bool('ConfigOnly') || body.fields('ConfigFrom').string('Network')) {
    throw badRequest('networks of a swarm are not supported')
  }
  const ipam = body.fields('IPAM')
  const [driver, ipv4, ipv6] = [body.string('Driver'), body.bool('EnableIPv4'), body.bool('EnableIPv6')]
  const ipamDriver = ipam.string('Driver')
  if (PREDEFINED.has(name)) throw new ApiError(403, `operation is not permitted on predefined ${name} network`)
  const network = await call.engine.networks.create(name, {
    ...(driver && driver !== 'default' && { driver }),
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
    ...(ipamDriver && { ipamDriver }),
    internal: body.bool('Internal') ?? false,
    attachable: body.bool('Attachable') ?? false,
    pools: pools(ipam),
    ipamOptions: ipam.map('Options') ?? {},
    options: body.map('Options') ?? {},
    labels: { ...body.map('Labels'), ...call.resident.labels },
  })
  await call.reply.json(201, { Id: network.id, Warning: '' })
}

/** Docker forbids it rather than speaking of a conflict. */
function forbidden(error: unknown): never {
  if ((error as { code?: string }).code !== 'ERR_JUBAKO_CONFLICT') throw error
  throw new ApiError(403, (error as Error).message)
}

export async function networkDelete(call: Call): Promise<void> {
  const { network } = await call.resident.network(call.params.id!)
  if (PREDEFINED.has(network.name)) {
    throw new ApiError(403, `${network.name} is a pre-defined network and cannot be removed`)
  }
  await network.remove().catch(forbidden)
  await call.reply.empty(204)
}

export async function networkConnect(call: Call): Promise<void> {
  const body = await call.json('ConnectOptions', { required: true })
  const { network } = await call.resident.network(call.params.id!)
  const container = await call.resident.container(body.string('Container') ?? '')
  await network.connect(container.id, endpoint(body.fields('EndpointConfig'))).catch(forbidden)
  await call.reply.empty(200)
}

export async function networkDisconnect(call: Call): Promise<void> {
  const body = await call.json('DisconnectOptions', { required: true })
  const { network } = await call.resident.network(call.params.id!)
  const container = await call.resident.container(body.string('Container') ?? '')
  await network.disconnect(container.id, { force: body.bool('Force') ?? false })
  await call.reply.empty(200)
}

export async function networkPrune(call: Call): Promise<void> {
  const { resident } = call
  const matches = pruneTest(call.query.filters(['label', 'label!', 'until']))
  const removed = await call.engine.networks.prune({
    keep: (it: NetworkSummary) => !matches(it) || !resident.sees(it.labels),
  })
  await call.reply.json(200, { NetworksDeleted: removed.length === 0 ? null : removed })
}
