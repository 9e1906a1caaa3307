import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { confirm } from '../io/confirm.js'
import { keptByFilters } from '../select/networks.js'
import type { Filter } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'network prune',
    aliases: ['network prune'],
    usage: '[OPTIONS]',
    summary: 'Remove all unused networks',
    args: [0, 0],
    flags: [
      ['', 'filter', 'filter', 'Remove only what matches (label=..., until=...)'],
      ['f', 'force', 'bool', 'Do not ask'],
    ],
  },
  async run(flags, context) {
    const keep = keptByFilters(flags.list<Filter>('filter'), Date.now())
    const warning = 'This will remove all custom networks not used by at least one container.'
    if (!flags.bool('force') && !(await confirm(warning, context))) return EXIT.ok
    const { networks } = await context.engine()
    const removed = await networks.prune({ keep })
    if (removed.length > 0) context.out.text(`Deleted Networks:\n${removed.join('\n')}\n\n`)
    return EXIT.ok
  },
}
