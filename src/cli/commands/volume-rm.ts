import { type Command, forAll } from '../command.js'

export const command: Command = {
  spec: {
    name: 'volume rm',
    aliases: ['volume remove', 'volume rm'],
    usage: '[OPTIONS] VOLUME [VOLUME...]',
    summary: 'Remove one or more volumes',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [['f', 'force', 'bool', 'A missing volume is no error']],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return forAll(flags.args, context, (name) => engine.volumes.remove(name, { force: flags.bool('force') }))
  },
}
