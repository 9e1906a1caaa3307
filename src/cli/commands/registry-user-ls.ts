import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { defaultHtpasswd, HTPASSWD_HELP } from '../registry-files.js'

export const command: Command = {
  spec: {
    name: 'registry user ls',
    aliases: ['registry user ls', 'registry user list'],
    usage: '[OPTIONS]',
    summary: 'List the accounts of a registry',
    args: [0, 0],
    flags: [['', 'htpasswd', 'string', HTPASSWD_HELP]],
    examples: ['jubako registry user ls'],
  },
  async run(flags, context) {
    const path = flags.string('htpasswd') ?? defaultHtpasswd(context)
    for (const name of await (await context.faces.registryUsers()).listUsers(path)) context.out.line(name)
    return EXIT.ok
  },
}
