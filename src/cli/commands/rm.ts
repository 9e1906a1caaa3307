import { isJubakoError } from '../../errors/index.js'
import { type Command, errorText, forAll } from '../command.js'

export const command: Command = {
  spec: {
    name: 'rm',
    aliases: ['container rm', 'rm'],
    usage: '[OPTIONS] CONTAINER [CONTAINER...]',
    summary: 'Remove one or more containers',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['f', 'force', 'bool', 'Kill a running one first'],
      [
        'l',
        'link',
        'bool',
        'Remove a link',
        { status: 'refused', reason: 'there are no links to remove', hidden: true },
      ],
      ['v', 'volumes', 'bool', 'Remove its anonymous volumes too'],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return forAll(flags.args, context, async (name) => {
      const force = flags.bool('force')
      try {
        await (await engine.container(name)).remove({ force, volumes: flags.bool('volumes') })
      } catch (error) {
        // As docker has it: forcing away what is not there is no failure.
        if (!force || !isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) throw error
        context.err.line(errorText(error))
        return false
      }
    })
  },
}
