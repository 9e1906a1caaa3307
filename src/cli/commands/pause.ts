import { type Command, forAll } from '../command.js'

export const command: Command = {
  spec: {
    name: 'pause',
    aliases: ['container pause', 'pause'],
    usage: 'CONTAINER [CONTAINER...]',
    summary: 'Pause all processes within one or more containers',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return forAll(flags.args, context, async (name) => {
      await (await engine.container(name)).pause()
    })
  },
}
