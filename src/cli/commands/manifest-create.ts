import { familiarReference, parseReference, withDefaultTag } from '../../oci/reference.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'

export const command: Command = {
  spec: {
    name: 'manifest create',
    aliases: ['manifest create'],
    usage: '[OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]',
    summary: 'Create a local manifest list for annotating and pushing to a registry',
    args: [2, Number.POSITIVE_INFINITY],
    flags: [
      ['a', 'amend', 'bool', 'Amend an existing manifest list'],
      ['', 'insecure', 'bool', 'Allow communication with an insecure registry'],
    ],
  },
  async run(flags, context) {
    const [list, ...images] = flags.args as [string, ...string[]]
    const engine = await context.engine()
    const options = { amend: flags.bool('amend'), insecure: flags.bool('insecure') }
    await engine.images.manifests.create(list, images, options)
    context.out.line(`Created manifest list ${familiarReference(withDefaultTag(parseReference(list)))}`)
    return EXIT.ok
  },
}
