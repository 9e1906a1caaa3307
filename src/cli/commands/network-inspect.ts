import type { Command } from '../command.js'
import { inspectAll } from '../io/inspect.js'

export const command: Command = {
  spec: {
    name: 'network inspect',
    aliases: ['network inspect'],
    usage: '[OPTIONS] NETWORK [NETWORK...]',
    summary: 'Show details of networks',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['f', 'format', 'string', "'json' or a Go template"],
      ['v', 'verbose', 'bool', 'Accepted and without effect: there are no services to show'],
    ],
  },
  async run(flags, context) {
    const { networks } = await context.engine()
    const inspect = async (name: string) => (await networks.get(name)).inspect()
    return inspectAll(flags.args, flags.string('format'), inspect, context)
  },
}
