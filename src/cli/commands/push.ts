import { parseReference, repositoryName, withDefaultTag } from '../../oci/reference.js'
import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { chooseProgress } from '../io/progress.js'
import { parsePlatform } from '../values/words.js'

export const command: Command = {
  spec: {
    name: 'push',
    aliases: ['image push', 'push'],
    usage: '[OPTIONS] NAME[:TAG]',
    summary: 'Upload an image to a registry',
    args: [1, 1],
    flags: [
      ['a', 'all-tags', 'bool', 'Push all tags of an image to the repository'],
      ['', 'disable-content-trust', 'bool', 'Accepted and without effect', { hidden: true }],
      ['', 'json', 'bool', 'Show progress as JSON lines'],
      ['', 'platform', 'string', 'Push one platform (os/arch[/variant])', { parse: parsePlatform }],
      ['q', 'quiet', 'bool', 'Show the reference only'],
    ],
  },
  async run(flags, context) {
    const name = flags.args[0]!
    const parsed = parseReference(name)
    const [allTags, quiet, json] = [flags.bool('all-tags'), flags.bool('quiet'), flags.bool('json')]
    const implied = parsed.tag === undefined && parsed.digest === undefined
    if (allTags && !implied) throw new CodedError("tag can't be used with --all-tags/-a", EXIT.failure)
    if (!allTags && implied && !quiet && !json) context.out.line('Using default tag: latest')
    const progress = chooseProgress(context.out, { quiet, json, isTerminal: process.stdout.isTTY })
    const platform = flags.string('platform')
    try {
      const engine = await context.engine()
      const pushed = await engine.push(name, {
        allTags,
        onProgress: progress.onProgress,
        ...(platform !== undefined && { platform }),
      })
      progress.end()
      if (json) for (const one of pushed) context.out.line(JSON.stringify(one))
      else if (quiet)
        context.out.line(allTags ? repositoryName(parsed) : `${repositoryName(parsed)}:${withDefaultTag(parsed).tag}`)
      return EXIT.ok
    } catch (error) {
      progress.end()
      throw error
    }
  },
}
