import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { writeOutput } from '../io/write-output.js'
import { parsePlatform } from '../values/words.js'

export const command: Command = {
  spec: {
    name: 'save',
    aliases: ['image save', 'save'],
    usage: '[OPTIONS] IMAGE [IMAGE...]',
    summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['o', 'output', 'string', 'Write to a file, instead of standard output'],
      ['', 'platform', 'string', 'Save one platform (os/arch[/variant])', { parse: parsePlatform }],
    ],
  },
  async run(flags, context) {
    const output = flags.string('output')
    if (output === undefined && process.stdout.isTTY) {
      throw new CodedError('cowardly refusing to save to a terminal. Use the -o flag or redirect', EXIT.failure)
    }
    const platform = flags.string('platform')
    const engine = await context.engine()
    await writeOutput(output, context.out, 'failed to save image', () =>
      engine.images.save(flags.args, platform === undefined ? {} : { platform }),
    )
    return EXIT.ok
  },
}
