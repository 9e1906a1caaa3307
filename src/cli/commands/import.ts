import type { Readable } from 'node:stream'
import { parseReference } from '../../oci/reference.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { parsePlatform } from '../values/words.js'

export const command: Command = {
  spec: {
    name: 'import',
    aliases: ['image import', 'import'],
    usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
    summary: 'Import the contents from a tarball to create a filesystem image',
    args: [1, 2],
    flags: [
      ['c', 'change', 'list', 'Apply Dockerfile instruction to the created image'],
      ['m', 'message', 'string', 'Set commit message for imported image'],
      ['', 'platform', 'string', 'Platform of the image (os/arch[/variant])', { parse: parsePlatform }],
    ],
  },
  async run(flags, context) {
    const [from, reference] = flags.args as [string, string?]
    if (reference !== undefined) parseReference(reference)
    const [message, platform] = [flags.string('message'), flags.string('platform')]
    const engine = await context.engine()
    const { imageId } = await engine.images.import(sourceOf(from), {
      changes: flags.list('change'),
      ...(reference !== undefined && { reference }),
      ...(message !== undefined && { message }),
      ...(platform !== undefined && { platform }),
    })
    context.out.line(imageId)
    return EXIT.ok
  },
}

function sourceOf(text: string): string | URL | Readable {
  if (text === '-') return process.stdin
  return /^https?:\/\//.test(text) ? new URL(text) : text
}
