import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageVersion } from '../../engine/version.js'
import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { manOverview, manPage } from '../format/man.js'
import { globals } from '../globals.js'

export const command: Command = {
  spec: {
    name: 'man',
    aliases: ['man'],
    usage: '[OPTIONS] [COMMAND]',
    summary: 'Write manual pages',
    args: [0, 2],
    flags: [['o', 'output', 'string', 'Write the pages of all commands into this directory']],
    examples: ['jubako man run | man -l -', 'jubako man -o /usr/local/share/man/man1'],
  },
  async run(flags, context) {
    const { commands } = context
    const version = packageVersion()
    const overview = () =>
      manOverview(
        commands.map(({ names, summary }) => [names[0]!, summary] as const),
        globals.flags,
        version,
      )
    const directory = flags.string('output')
    if (directory !== undefined && directory !== '') {
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, 'jubako.1'), overview())
      for (const { names, load } of commands) {
        const { spec } = (await load()).command
        writeFileSync(
          join(directory, `jubako-${names[0]!.replaceAll(' ', '-')}.1`),
          manPage({ ...spec, name: names[0]! }, version),
        )
      }
      return EXIT.ok
    }
    if (flags.args.length === 0) {
      context.out.text(overview())
      return EXIT.ok
    }
    const name = flags.args.join(' ')
    const entry = commands.find(({ names }) => names.includes(name))
    if (entry === undefined) throw new CodedError(`unknown command: jubako ${name}`, EXIT.failure)
    context.out.text(manPage((await entry.load()).command.spec, version))
    return EXIT.ok
  },
}
