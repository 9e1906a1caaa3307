import type { Command } from '../command.js'
import { inspectAll, inspectContainer } from '../io/inspect.js'

export const command: Command = {
  spec: {
    name: 'container inspect',
    aliases: ['container inspect'],
    usage: '[OPTIONS] CONTAINER [CONTAINER...]',
    summary: 'Display detailed information on one or more containers',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['f', 'format', 'string', "'json' or a Go template"],
      ['s', 'size', 'bool', 'Show sizes'],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const inspect = (name: string) => inspectContainer(engine, name, flags.bool('size'))
    return inspectAll(flags.args, flags.string('format'), inspect, context)
  },
}
