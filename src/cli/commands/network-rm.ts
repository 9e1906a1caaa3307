import { isJubakoError } from '../../errors/index.js'
import { type Command, errorText, forEach } from '../command.js'

export const command: Command = {
  spec: {
    name: 'network rm',
    aliases: ['network rm', 'network remove'],
    usage: 'NETWORK [NETWORK...]',
    summary: 'Remove one or more networks',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [['f', 'force', 'bool', 'One that does not exist is no failure']],
  },
  async run(flags, context) {
    const { networks } = await context.engine()
    return forEach(flags.args, context, async (name) => {
      try {
        await networks.remove(name)
      } catch (error) {
        if (!flags.bool('force') || !isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND')) throw error
        context.err.line(errorText(error))
        return
      }
      context.out.line(name)
    })
  },
}
