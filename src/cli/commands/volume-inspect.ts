import type { Command } from '../command.js'
import { inspectAll } from '../io/inspect.js'

export const command: Command = {
  spec: {
    name: 'volume inspect',
    aliases: ['volume inspect'],
    usage: '[OPTIONS] VOLUME [VOLUME...]',
    summary: 'Show details of one or more volumes',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [['f', 'format', 'string', "'json' or a Go template"]],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const inspect = async (name: string) => (await engine.volumes.get(name)).inspect()
    return inspectAll(flags.args, flags.string('format'), inspect, context)
  },
}
