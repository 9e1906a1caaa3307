import { parseReference } from '../../oci/reference.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'

export const command: Command = {
  spec: {
    name: 'commit',
    aliases: ['container commit', 'commit'],
    usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
    summary: "Create a new image from a container's changes",
    args: [1, 2],
    flags: [
      ['a', 'author', 'string', 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")'],
      ['c', 'change', 'list', 'Apply Dockerfile instruction to the created image'],
      ['m', 'message', 'string', 'Commit message'],
      ['p', 'pause', 'bool', 'Pause container during commit', { default: 'true' }],
    ],
    examples: [`jubako commit -c 'CMD ["server"]' web web:2`],
  },
  async run(flags, context) {
    const [name, reference] = flags.args as [string, string?]
    if (reference !== undefined) parseReference(reference)
    const [author, message] = [flags.string('author'), flags.string('message')]
    const engine = await context.engine()
    const { imageId } = await (await engine.container(name)).commit({
      changes: flags.list('change'),
      pause: flags.bool('pause', true),
      ...(reference !== undefined && { reference }),
      ...(author !== undefined && { author }),
      ...(message !== undefined && { message }),
    })
    context.out.line(imageId)
    return EXIT.ok
  },
}
