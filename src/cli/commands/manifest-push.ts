import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'

export const command: Command = {
  spec: {
    name: 'manifest push',
    aliases: ['manifest push'],
    usage: '[OPTIONS] MANIFEST_LIST',
    summary: 'Push a manifest list to a repository',
    args: [1, 1],
    flags: [
      ['', 'insecure', 'bool', 'Allow push to an insecure registry'],
      ['p', 'purge', 'bool', 'Remove the local manifest list after push'],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const digest = await engine.images.manifests.push(flags.args[0]!, {
      insecure: flags.bool('insecure'),
      purge: flags.bool('purge'),
      onPushed: (reference) => context.out.line(`Pushed ref ${reference} with digest: ${reference.split('@')[1]}`),
    })
    context.out.line(digest)
    return EXIT.ok
  },
}
