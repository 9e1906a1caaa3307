import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { parsePair } from '../values/labels.js'
import { parseFamily } from '../values/network.js'

export const command: Command = {
  spec: {
    name: 'network connect',
    aliases: ['network connect'],
    usage: '[OPTIONS] NETWORK CONTAINER',
    summary: 'Connect a container to a network',
    args: [2, 2],
    flags: [
      ['', 'alias', 'stringSlice', 'Further name in the network'],
      ['', 'driver-opt', 'stringSlice', 'Option of the driver (name=value)', { parse: parsePair }],
      ['', 'gw-priority', 'int', 'The network with the highest gives the default route', { default: '0' }],
      ['', 'ip', 'string', 'IPv4 address', { parse: parseFamily(4) }],
      ['', 'ip6', 'string', 'IPv6 address', { parse: parseFamily(6) }],
      ['', 'link', 'list', 'Other name of a container of the network (container:alias)'],
      [
        '',
        'link-local-ip',
        'stringSlice',
        'Link-local address',
        { status: 'missing', reason: 'only addresses of the subnets are given' },
      ],
    ],
  },
  async run(flags, context) {
    const [name, container] = flags.args as [string, string]
    const { networks } = await context.engine()
    const { ip, ip6 } = { ip: flags.string('ip'), ip6: flags.string('ip6') }
    await (await networks.get(name)).connect(container, {
      aliases: flags.list('alias').flatMap((text) => text.split(',')),
      links: flags.list('link'),
      driverOpts: Object.fromEntries(flags.list<[string, string]>('driver-opt')),
      gwPriority: flags.number('gw-priority') ?? 0,
      ...(ip !== undefined && { ip }),
      ...(ip6 !== undefined && { ip6 }),
    })
    return EXIT.ok
  },
}
