import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'

export const command: Command = {
  spec: {
    name: 'rename',
    aliases: ['container rename', 'rename'],
    usage: 'CONTAINER NEW_NAME',
    summary: 'Rename a container',
    args: [2, 2],
    flags: [],
    examples: ['jubako rename brave_hopper web'],
  },
  async run(flags, context) {
    const [container, name] = flags.args as [string, string]
    await (await (await context.engine()).container(container)).rename(name)
    return EXIT.ok
  },
}
