import { parseReference } from '../../oci/reference.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { chooseProgress } from '../io/progress.js'
import { parsePlatform } from '../values/words.js'

export const command: Command = {
  spec: {
    name: 'pull',
    aliases: ['image pull', 'pull'],
    usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
    summary: 'Download an image from a registry',
    args: [1, 1],
    flags: [
      ['a', 'all-tags', 'bool', 'Download every tag', { status: 'missing', reason: 'it is not built yet' }],
      ['', 'disable-content-trust', 'bool', 'Accepted and without effect', { hidden: true }],
      ['', 'json', 'bool', 'Show progress as JSON lines'],
      ['', 'platform', 'string', 'Platform (os/arch[/variant])', { parse: parsePlatform }],
      ['q', 'quiet', 'bool', 'Show the reference only'],
    ],
  },
  async run(flags, context) {
    const name = flags.args[0]!
    const { tag, digest } = parseReference(name)
    const engine = await context.engine()
    const json = flags.bool('json')
    const implied = tag === undefined && digest === undefined
    if (implied && !json && !flags.bool('quiet')) context.out.line('Using default tag: latest')
    const terminal = process.stdout.isTTY
    const progress = chooseProgress(context.out, { quiet: flags.bool('quiet'), json, isTerminal: terminal })
    const platform = flags.string('platform')
    try {
      const result = await engine.pull(name, {
        onProgress: progress.onProgress,
        ...(platform !== undefined && { platform }),
      })
      progress.end()
      if (json) context.out.line(JSON.stringify(result))
      else context.out.line(result.reference)
      return EXIT.ok
    } catch (error) {
      progress.end()
      throw error
    }
  },
}
