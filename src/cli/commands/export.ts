import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'

export const command: Command = {
  spec: {
    name: 'export',
    aliases: ['container export', 'export'],
    usage: '[OPTIONS] CONTAINER',
    summary: "Export a container's filesystem as a tar archive",
    args: [1, 1],
    flags: [['o', 'output', 'string', 'Write to a file, instead of STDOUT']],
    examples: ['jubako export web > web.tar', 'jubako export -o web.tar web'],
  },
  async run(flags, context) {
    const output = flags.string('output')
    if ((output === undefined || output === '') && process.stdout.isTTY) {
      throw new CodedError('cowardly refusing to save to a terminal. Use the -o flag or redirect', EXIT.failure)
    }
    const container = await (await context.engine()).container(flags.args[0]!)
    const stream = await container.export()
    if (output !== undefined && output !== '') await pipeline(stream, createWriteStream(output, { mode: 0o600 }))
    else for await (const chunk of stream) await context.out.bytes(chunk as Buffer)
    return EXIT.ok
  },
}
