import type { Command } from '../command.js'
import { inDefaultNetwork } from '../default-network.js'
import { EXIT } from '../exit-codes.js'
import { createFlags } from '../flags/create-flags.js'
import { createOptions } from '../flags/create-options.js'
import { openIdFile, pullProgress } from './run.js'

export const command: Command = {
  spec: {
    name: 'create',
    aliases: ['container create', 'create'],
    usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
    summary: 'Create a new container',
    args: [1, Number.POSITIVE_INFINITY],
    interspersed: false,
    flags: createFlags,
  },
  async run(flags, context) {
    const [image, ...argv] = flags.args as [string, ...string[]]
    const options = inDefaultNetwork(createOptions(flags))
    const idFile = openIdFile(flags.string('cidfile'))
    const progress = pullProgress(flags, image, context)
    try {
      const engine = await context.engine()
      const container = await engine.create(image, argv, {
        ...options,
        autoRemove: flags.bool('rm'),
        pull: (flags.string('pull') ?? 'missing') as 'missing',
        onProgress: progress.onProgress,
        onCreated: (id) => idFile.write(id),
      })
      progress.end()
      context.out.line(container.id)
      return EXIT.ok
    } catch (error) {
      progress.end()
      idFile.abandon()
      throw error
    }
  },
}
