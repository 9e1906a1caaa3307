import { parseReference, repositoryName } from '../../oci/reference.js'
import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
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
      ['a', 'all-tags', 'bool', 'Download every tag of the repository'],
      ['', 'disable-content-trust', 'bool', 'Accepted and without effect', { hidden: true }],
      ['', 'json', 'bool', 'Show progress as JSON lines'],
      ['', 'platform', 'string', 'Platform (os/arch[/variant])', { parse: parsePlatform }],
      ['q', 'quiet', 'bool', 'Show the reference only'],
    ],
  },
  async run(flags, context) {
    const name = flags.args[0]!
    const parsed = parseReference(name)
    const { tag, digest } = parsed
    const allTags = flags.bool('all-tags')
    if (allTags && (tag !== undefined || digest !== undefined)) {
      throw new CodedError("tag can't be used with --all-tags/-a", EXIT.failure)
    }
    const engine = await context.engine()
    const json = flags.bool('json')
    const implied = tag === undefined && digest === undefined
    if (implied && !allTags && !json && !flags.bool('quiet')) context.out.line('Using default tag: latest')
    const terminal = process.stdout.isTTY
    const progress = chooseProgress(context.out, { quiet: flags.bool('quiet'), json, isTerminal: terminal })
    const platform = flags.string('platform')
    try {
      const options = { onProgress: progress.onProgress, ...(platform !== undefined && { platform }) }
      const results = allTags ? await engine.images.pullAll(name, options) : [await engine.pull(name, options)]
      progress.end()
      if (json) for (const result of results) context.out.line(JSON.stringify(result))
      else context.out.line(allTags ? repositoryName(parsed) : results[0]!.reference)
      return EXIT.ok
    } catch (error) {
      progress.end()
      throw error
    }
  },
}
