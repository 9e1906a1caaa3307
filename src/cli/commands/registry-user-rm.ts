import { type Command, forEach } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { defaultHtpasswd, HTPASSWD_HELP } from '../registry-files.js'

export const command: Command = {
  spec: {
    name: 'registry user rm',
    aliases: ['registry user rm', 'registry user remove'],
    usage: '[OPTIONS] NAME [NAME...]',
    summary: 'Remove accounts of a registry',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [['', 'htpasswd', 'string', HTPASSWD_HELP]],
    examples: ['jubako registry user rm alice'],
  },
  async run(flags, context) {
    const path = flags.string('htpasswd') ?? defaultHtpasswd(context)
    const { removeUser } = await context.faces.registryUsers()
    return forEach(flags.args, context, async (name) => {
      if (!(await removeUser(path, name))) throw new CodedError(`No such account: ${name}`, EXIT.failure)
      context.out.line(name)
    })
  },
}
