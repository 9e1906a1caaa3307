import type { Command } from '../command.js'
import { inspectAll } from '../io/inspect.js'

export const command: Command = {
  spec: {
    name: 'image inspect',
    aliases: ['image inspect'],
    usage: '[OPTIONS] IMAGE [IMAGE...]',
    summary: 'Display detailed information on one or more images',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['f', 'format', 'string', "'json' or a Go template"],
      ['', 'platform', 'string', 'Platform', { status: 'missing', reason: 'one platform is kept per image' }],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return inspectAll(flags.args, flags.string('format'), (name) => engine.inspectImage(name), context)
  },
}
