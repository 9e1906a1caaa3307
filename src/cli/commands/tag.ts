import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'

export const command: Command = {
  spec: {
    name: 'tag',
    aliases: ['image tag', 'tag'],
    usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
    summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
    args: [2, 2],
    flags: [],
  },
  async run(flags, context) {
    const engine = await context.engine()
    await engine.tag(flags.args[0]!, flags.args[1]!)
    return EXIT.ok
  },
}
