import { type Command, forEach } from '../command.js'

export const command: Command = {
  spec: {
    name: 'manifest rm',
    aliases: ['manifest rm'],
    usage: 'MANIFEST_LIST [MANIFEST_LIST...]',
    summary: 'Delete one or more manifest lists from local storage',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return forEach(flags.args, context, (name) => engine.images.manifests.remove(name))
  },
}
