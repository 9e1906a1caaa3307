import { type Command, forEach } from '../command.js'

export const command: Command = {
  spec: {
    name: 'wait',
    aliases: ['container wait', 'wait'],
    usage: 'CONTAINER [CONTAINER...]',
    summary: 'Block until one or more containers stop, then print their exit codes',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return forEach(flags.args, context, async (name) => {
      const { exitCode } = await (await engine.container(name)).wait()
      context.out.line(String(exitCode))
    })
  },
}
