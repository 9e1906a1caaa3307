import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'

export const command: Command = {
  spec: {
    name: 'network disconnect',
    aliases: ['network disconnect'],
    usage: '[OPTIONS] NETWORK CONTAINER',
    summary: 'Disconnect a container from a network',
    args: [2, 2],
    flags: [['f', 'force', 'bool', 'One that is not connected is no failure']],
  },
  async run(flags, context) {
    const [name, container] = flags.args as [string, string]
    const { networks } = await context.engine()
    await (await networks.get(name)).disconnect(container, { force: flags.bool('force') })
    return EXIT.ok
  },
}
