import { keyOf } from '../../registry/docker-config.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { dockerConfig } from '../registry-settings.js'
import { registryName } from '../values/registry.js'

export const command: Command = {
  spec: {
    name: 'logout',
    aliases: ['logout'],
    usage: '[SERVER]',
    summary: 'Log out from a registry',
    args: [0, 1],
    flags: [],
  },
  async run(flags, context) {
    const registry = registryName(flags.args[0])
    context.out.line(`Removing login credentials for ${keyOf(registry)}`)
    await dockerConfig().erase(registry)
    return EXIT.ok
  },
}
