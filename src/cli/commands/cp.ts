import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { humanSize } from '../format/units.js'
import { type CopyFlags, copyIn, copyOut } from '../io/copy.js'

/** `CONTAINER:PATH`, or a path here: one that is absolute or begins with a dot has no container. */
function splitPlace(text: string): { container: string; path: string } {
  const colon = text.indexOf(':')
  if (text.startsWith('/') || text.startsWith('.') || colon < 0) return { container: '', path: text }
  return { container: text.slice(0, colon), path: text.slice(colon + 1) }
}

export const command: Command = {
  spec: {
    name: 'cp',
    aliases: ['container cp', 'cp'],
    usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n        jubako cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
    summary: 'Copy files/folders between a container and the local filesystem',
    args: [2, 2],
    flags: [
      ['a', 'archive', 'bool', 'Archive mode (copy all uid/gid information)'],
      ['L', 'follow-link', 'bool', 'Always follow symbolic link in SRC_PATH'],
      ['q', 'quiet', 'bool', 'Suppress progress output during copy'],
    ],
    examples: [
      'jubako cp ./site web:/srv',
      'jubako cp web:/var/log/. logs',
      'jubako cp web:/etc - | tar tv',
      'tar c . | jubako cp - web:/srv',
    ],
  },
  async run(flags, context) {
    const [from, to] = flags.args as [string, string]
    if (from === '') throw new CodedError('source can not be empty', EXIT.failure)
    if (to === '') throw new CodedError('destination can not be empty', EXIT.failure)
    const [source, destination] = [splitPlace(from), splitPlace(to)]
    if (source.container !== '' && destination.container !== '') {
      throw new CodedError('copying between containers is not supported', EXIT.failure)
    }
    if (source.container === '' && destination.container === '') {
      throw new CodedError('must specify at least one container source', EXIT.failure)
    }
    const options: CopyFlags = { archive: flags.bool('archive'), follow: flags.bool('follow-link') }
    const engine = await context.engine()
    const name = source.container !== '' ? source.container : destination.container
    const container = await engine.container(name)
    const bytes =
      source.container !== ''
        ? await copyOut({ container, name, path: source.path }, destination.path, options, context)
        : await copyIn(source.path, { container, name, path: destination.path }, options)
    const toOutput = source.container !== '' && destination.path === '-'
    if (!flags.bool('quiet') && !toOutput && process.stderr.isTTY) {
      context.err.line(`Successfully copied ${humanSize(bytes)} to ${to}`)
    }
    return EXIT.ok
  },
}
