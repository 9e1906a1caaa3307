import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { alignTabs } from '../format/tabs.js'

/** Width of a column of docker's table. */
const WIDTH = 20

export const command: Command = {
  spec: {
    name: 'top',
    aliases: ['container top', 'top'],
    usage: 'CONTAINER [ps OPTIONS]',
    summary: 'Display the running processes of a container',
    args: [1, Number.POSITIVE_INFINITY],
    interspersed: false,
    flags: [],
    examples: ['jubako top web', 'jubako top web -o pid,rss,comm'],
  },
  async run(flags, context) {
    const [name, ...psArguments] = flags.args as [string, ...string[]]
    const engine = await context.engine()
    const { titles, processes } = await (await engine.container(name)).top(psArguments)
    context.out.text(alignTabs(`${[titles, ...processes].map((cells) => cells.join('\t')).join('\n')}\n`, WIDTH))
    return EXIT.ok
  },
}
