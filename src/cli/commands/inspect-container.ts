import type { Command } from '../command.js'
import { inspectAll } from '../io/inspect.js'

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
    const size = flags.bool('size')
    const inspect = async (name: string) => ({
      ...(await (await engine.container(name)).inspect()),
      ...(size && (await sizes(name))),
    })
    const sizes = async (name: string) => {
      const { written, total } = await engine.containerSize((await engine.container(name)).id)
      return { SizeRw: written, SizeRootFs: total }
    }
    return inspectAll(flags.args, flags.string('format'), inspect, context)
  },
}
