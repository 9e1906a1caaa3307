import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'

const LETTERS = { modified: 'C', added: 'A', deleted: 'D' } as const

export const command: Command = {
  spec: {
    name: 'diff',
    aliases: ['container diff', 'diff'],
    usage: 'CONTAINER',
    summary: "Inspect changes to files or directories on a container's filesystem",
    args: [1, 1],
    flags: [],
    examples: ['jubako diff web'],
  },
  async run(flags, context) {
    const engine = await context.engine()
    for (const { kind, path } of await (await engine.container(flags.args[0]!)).changes()) {
      context.out.line(`${LETTERS[kind]} ${path}`)
    }
    return EXIT.ok
  },
}
