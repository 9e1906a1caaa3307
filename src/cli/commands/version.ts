import { arch, release } from 'node:os'
import { packageVersion } from '../../engine/version.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { formatObject } from '../format/json.js'

export const command: Command = {
  spec: {
    name: 'version',
    aliases: ['version'],
    usage: '[OPTIONS]',
    summary: 'Show the version information',
    args: [0, 0],
    flags: [['f', 'format', 'string', "'json' or a Go template"]],
  },
  async run(flags, context) {
    const names: Record<string, string> = { x64: 'amd64', arm64: 'arm64' }
    const side = {
      Version: packageVersion(),
      NodeVersion: process.version,
      Os: 'linux',
      Arch: names[arch()] ?? arch(),
      KernelVersion: release(),
    }
    const lines = (what: string) =>
      `${what}:\n${Object.entries(side)
        .map(([key, value]) => ` ${`${key.replace(/([a-z])([A-Z])/g, '$1 $2')}:`.padEnd(17)} ${value}`)
        .join('\n')}\n`
    context.out.text(formatObject({ Client: side, Server: side }, flags.string('format'), () => lines('jubako')))
    return EXIT.ok
  },
}
