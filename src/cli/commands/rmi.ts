import { type Command, forEach } from '../command.js'

export const command: Command = {
  spec: {
    name: 'rmi',
    aliases: ['image rm', 'image remove', 'rmi'],
    usage: '[OPTIONS] IMAGE [IMAGE...]',
    summary: 'Remove one or more images',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['f', 'force', 'bool', 'Also when stopped containers use it'],
      ['', 'no-prune', 'bool', 'Keep untagged parents'],
      [
        '',
        'platform',
        'string',
        'Remove one platform',
        { status: 'missing', reason: 'one platform is kept per image' },
      ],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return forEach(flags.args, context, async (name) => {
      for (const { untagged, deleted } of await engine.removeImage(name, {
        force: flags.bool('force'),
        noPrune: flags.bool('no-prune'),
      })) {
        if (untagged !== undefined) context.out.line(`Untagged: ${untagged}`)
        if (deleted !== undefined) context.out.line(`Deleted: ${deleted}`)
      }
    })
  },
}
