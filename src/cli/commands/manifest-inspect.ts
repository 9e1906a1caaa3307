import type { ListedManifest } from '../../engine/types.js'
import { DOCKER_MANIFEST } from '../../oci/media-types.js'
import { encodePlatform } from '../../oci/platform.js'
import { familiarReference, parseReference } from '../../oci/reference.js'
import type { Command } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'

export const command: Command = {
  spec: {
    name: 'manifest inspect',
    aliases: ['manifest inspect'],
    usage: '[OPTIONS] [MANIFEST_LIST] MANIFEST',
    summary: 'Display an image manifest, or manifest list',
    args: [1, 2],
    flags: [
      ['', 'insecure', 'bool', 'Allow communication with an insecure registry'],
      ['v', 'verbose', 'bool', 'Output additional info including layers and platform'],
    ],
  },
  async run(flags, context) {
    const members = flags.bool('verbose')
    const [list, member] = flags.args as [string, string?]
    const engine = await context.engine()
    const options = { members: members || member !== undefined, insecure: flags.bool('insecure') }
    const found = await engine.images.manifests.inspect(list, options)
    if (member !== undefined) {
      const one = found.manifests.find(({ reference }) => sameImage(reference, member))
      if (one === undefined) throw new UsageError(`No such manifest: ${member}`, 'manifest inspect', EXIT.failure)
      context.out.line(JSON.stringify(members ? verbose(one) : JSON.parse(one.raw.toString()), undefined, '\t'))
      return EXIT.ok
    }
    const shown = found.manifests.map(verbose)
    if (members) context.out.line(JSON.stringify(found.isList ? shown : shown[0], undefined, '\t'))
    // A list is indented as it is stored.
    else context.out.line(JSON.stringify(JSON.parse(found.document.toString()), undefined, found.isList ? 3 : '\t'))
    return EXIT.ok
  },
}

function sameImage(reference: string, asked: string): boolean {
  const shown = familiarReference(parseReference(reference))
  return shown === asked || shown === `${asked}:latest` || reference === asked
}

function verbose({ reference, descriptor, raw }: ListedManifest) {
  const { mediaType, digest, size, platform } = descriptor
  const key = mediaType === DOCKER_MANIFEST ? 'SchemaV2Manifest' : 'OCIManifest'
  return {
    Ref: familiarReference(parseReference(reference)),
    Descriptor: { mediaType, digest, size, platform: encodePlatform(platform) },
    Raw: raw.toString('base64'),
    [key]: JSON.parse(raw.toString()) as unknown,
  }
}
