import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import type { FlagExtra } from '../flags/spec.js'
import { parseLabel } from '../values/labels.js'

const cluster: FlagExtra = { status: 'refused', reason: 'jubako runs containers on one machine', hidden: true }
const pairs = (list: readonly (readonly [string, string])[]): Record<string, string> => Object.fromEntries(list)

export const command: Command = {
  spec: {
    name: 'volume create',
    aliases: ['volume create'],
    usage: '[OPTIONS] [VOLUME]',
    summary: 'Create a volume',
    args: [0, 1],
    flags: [
      ['', 'availability', 'string', 'Cluster volume availability', cluster],
      ['d', 'driver', 'string', 'Volume driver (only local)', { default: 'local' }],
      ['', 'group', 'string', 'Cluster volume group', cluster],
      ['', 'label', 'list', 'Set a label (key=value)', { parse: parseLabel }],
      ['', 'limit-bytes', 'bytes', 'Largest size of the cluster volume', cluster],
      ['o', 'opt', 'map', 'Set an option of the driver: type, device, o', { parse: parseLabel }],
      ['', 'required-bytes', 'bytes', 'Smallest size of the cluster volume', cluster],
      ['', 'scope', 'string', 'Cluster volume scope', cluster],
      ['', 'secret', 'map', 'Cluster volume secrets', cluster],
      ['', 'sharing', 'string', 'Cluster volume sharing', cluster],
      ['', 'topology-preferred', 'list', 'Topology that the cluster volume would be in', cluster],
      ['', 'topology-required', 'list', 'Topology that the cluster volume must be in', cluster],
      ['', 'type', 'string', 'Cluster volume access type', cluster],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const [name] = flags.args
    const driver = flags.string('driver')
    const volume = await engine.volumes.create({
      ...(name !== undefined && { name }),
      ...(driver !== undefined && { driver }),
      labels: pairs(flags.list<[string, string]>('label')),
      options: pairs(flags.list<[string, string]>('opt')),
    })
    context.out.line(volume.name)
    return EXIT.ok
  },
}
