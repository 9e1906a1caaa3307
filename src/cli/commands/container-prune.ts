import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { humanSize } from '../format/units.js'
import { confirm } from '../io/confirm.js'
import { prunedByFilters } from '../select/prune-containers.js'
import type { Filter } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'container prune',
    aliases: ['container prune'],
    usage: '[OPTIONS]',
    summary: 'Remove all stopped containers',
    args: [0, 0],
    flags: [
      ['', 'filter', 'filter', 'Remove only what matches (until=..., label=..., label!=...)'],
      ['f', 'force', 'bool', 'Do not ask'],
    ],
  },
  async run(flags, context) {
    const filter = prunedByFilters(flags.list<Filter>('filter'), Date.now())
    if (!flags.bool('force') && !(await confirm('This will remove all stopped containers.', context))) return EXIT.ok
    const { removed, reclaimed } = await (await context.engine()).pruneContainers({ filter })
    if (removed.length > 0) context.out.text(`Deleted Containers:\n${removed.join('\n')}\n\n`)
    context.out.line(`Total reclaimed space: ${humanSize(reclaimed)}`)
    return EXIT.ok
  },
}
