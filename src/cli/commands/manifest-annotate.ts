import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'

export const command: Command = {
  spec: {
    name: 'manifest annotate',
    aliases: ['manifest annotate'],
    usage: '[OPTIONS] MANIFEST_LIST MANIFEST',
    summary: 'Add additional information to a local image manifest',
    args: [2, 2],
    flags: [
      ['', 'arch', 'string', 'Set architecture'],
      ['', 'os', 'string', 'Set operating system'],
      ['', 'os-features', 'stringSlice', 'Set operating system feature'],
      ['', 'os-version', 'string', 'Set operating system version'],
      ['', 'variant', 'string', 'Set architecture variant'],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const features = flags.list('os-features').flatMap((text) => text.split(','))
    await engine.images.manifests.annotate(flags.args[0]!, flags.args[1]!, {
      os: flags.string('os'),
      architecture: flags.string('arch'),
      variant: flags.string('variant'),
      osVersion: flags.string('os-version'),
      ...(features.length > 0 && { osFeatures: features }),
    })
    return EXIT.ok
  },
}
