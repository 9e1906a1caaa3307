import { invalidArgument } from '../../errors/index.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { parseLabel, parsePair } from '../values/labels.js'
import { ipamPools } from '../values/network.js'

const swarm = { status: 'refused', reason: 'jubako runs containers on one machine' } as const

export const command: Command = {
  spec: {
    name: 'network create',
    aliases: ['network create'],
    usage: '[OPTIONS] NETWORK',
    summary: 'Create a network',
    args: [1, 1],
    flags: [
      ['', 'attachable', 'bool', 'Noted in the record; containers can always join'],
      ['', 'aux-address', 'map', 'Address that is not given out (name=address)', { parse: parsePair }],
      ['', 'config-from', 'string', 'Network to copy the configuration from', swarm],
      ['', 'config-only', 'bool', 'Make a configuration only', swarm],
      ['d', 'driver', 'string', 'Driver: bridge, macvlan or ipvlan', { default: '"bridge"' }],
      ['', 'gateway', 'stringSlice', 'Gateway of a subnet'],
      ['', 'ingress', 'bool', 'Make the routing mesh of a swarm', swarm],
      ['', 'internal', 'bool', 'No way out of the network'],
      ['', 'ip-range', 'stringSlice', 'Give out addresses of this part of a subnet only'],
      ['', 'ipam-driver', 'string', 'Driver of addresses: default', { default: '"default"' }],
      ['', 'ipam-opt', 'map', 'Option of the driver of addresses', { parse: parsePair }],
      ['', 'ipv4', 'bool', 'Give out IPv4 addresses', { default: 'true' }],
      ['', 'ipv6', 'bool', 'Give out IPv6 addresses'],
      ['', 'label', 'list', 'Add a label (key=value)', { parse: parseLabel }],
      ['o', 'opt', 'map', 'Option of the driver (name=value)', { parse: parseLabel }],
      ['', 'scope', 'string', 'Scope of the network', swarm],
      ['', 'subnet', 'stringSlice', 'Range of addresses (CIDR)'],
    ],
    examples: [
      'jubako network create back',
      'jubako network create --subnet 10.5.0.0/16 --gateway 10.5.0.254 --internal db',
    ],
  },
  async run(flags, context) {
    const split = (name: string) => flags.list(name).flatMap((text) => text.split(','))
    const record = (name: string) => Object.fromEntries(flags.list<[string, string]>(name))
    let pools: ReturnType<typeof ipamPools>
    try {
      pools = ipamPools(split('subnet'), split('ip-range'), split('gateway'), record('aux-address'))
    } catch (error) {
      throw invalidArgument((error as Error).message, { cause: error })
    }
    const engine = await context.engine()
    const network = await engine.networks.create(flags.args[0]!, {
      driver: flags.string('driver') ?? 'bridge',
      pools,
      internal: flags.bool('internal'),
      attachable: flags.bool('attachable'),
      ipv4: flags.bool('ipv4', true),
      ipv6: flags.bool('ipv6'),
      ipamDriver: flags.string('ipam-driver') ?? 'default',
      ipamOptions: record('ipam-opt'),
      options: record('opt'),
      labels: record('label'),
    })
    context.out.line(network.id)
    return EXIT.ok
  },
}
