import type { Command } from '../command.js'
import { inspectAll } from '../io/inspect.js'
import { parsePlatform } from '../values/words.js'

export const command: Command = {
  spec: {
    name: 'image inspect',
    aliases: ['image inspect'],
    usage: '[OPTIONS] IMAGE [IMAGE...]',
    summary: 'Display detailed information on one or more images',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['f', 'format', 'string', "'json' or a Go template"],
      ['', 'platform', 'string', 'Fail unless it is for this platform (os/arch[/variant])', { parse: parsePlatform }],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const platform = flags.string('platform')
    return inspectAll(flags.args, flags.string('format'), (name) => engine.inspectImage(name, { platform }), context)
  },
}
