import { type Command, forAll } from '../command.js'

export const command: Command = {
  spec: {
    name: 'unpause',
    aliases: ['container unpause', 'unpause'],
    usage: 'CONTAINER [CONTAINER...]',
    summary: 'Unpause all processes within one or more containers',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return forAll(flags.args, context, async (name) => {
      await (await engine.container(name)).unpause()
    })
  },
}
