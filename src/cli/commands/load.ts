import { familiarReference, parseReference } from '../../oci/reference.js'
import type { Command } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { chooseProgress } from '../io/progress.js'
import { parsePlatform } from '../values/words.js'

export const command: Command = {
  spec: {
    name: 'load',
    aliases: ['image load', 'load'],
    usage: '[OPTIONS]',
    summary: 'Load an image from a tar archive or STDIN',
    args: [0, 0],
    flags: [
      ['i', 'input', 'string', 'Archive file or OCI layout directory, instead of standard input'],
      ['', 'json', 'bool', 'Show progress as JSON lines'],
      ['', 'platform', 'string', 'Load one platform (os/arch[/variant])', { parse: parsePlatform }],
      ['q', 'quiet', 'bool', 'Show no progress'],
    ],
  },
  async run(flags, context) {
    const input = flags.string('input')
    if (input === undefined && process.stdin.isTTY) {
      throw new UsageError('requested load from stdin, but stdin is empty', 'load', EXIT.failure)
    }
    const engine = await context.engine()
    const json = flags.bool('json')
    const progress = chooseProgress(json ? context.out : context.err, {
      quiet: flags.bool('quiet') || (!json && !process.stderr.isTTY),
      json,
      isTerminal: process.stderr.isTTY,
    })
    try {
      const platform = flags.string('platform')
      const loaded = await engine.load(input ?? process.stdin, {
        onProgress: progress.onProgress,
        ...(platform !== undefined && { platform }),
      })
      progress.end()
      for (const { references, imageId } of loaded) {
        for (const reference of references) {
          context.out.line(`Loaded image: ${familiarReference(parseReference(reference))}`)
        }
        if (references.length === 0) context.out.line(`Loaded image ID: ${imageId}`)
      }
      return EXIT.ok
    } catch (error) {
      progress.end()
      throw error
    }
  },
}
