import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { humanSize } from '../format/units.js'
import { confirm } from '../io/confirm.js'
import { pruneFilter } from '../select/prune-images.js'
import type { Filter } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'image prune',
    aliases: ['image prune'],
    usage: '[OPTIONS]',
    summary: 'Remove unused images',
    args: [0, 0],
    flags: [
      ['a', 'all', 'bool', 'Remove all unused images, not just dangling ones'],
      ['', 'filter', 'filter', 'Remove only what matches (until=..., label=...)'],
      ['f', 'force', 'bool', 'Do not ask'],
    ],
  },
  async run(flags, context) {
    const { all, filter } = pruneFilter(flags.list<Filter>('filter'), flags.bool('all'), Date.now())
    const warning = all
      ? 'This will remove all images without at least one container associated to them.'
      : 'This will remove all dangling images.'
    if (!flags.bool('force') && !(await confirm(warning, context))) return EXIT.ok
    const engine = await context.engine()
    const { removed, reclaimed } = await engine.images.prune({ all, filter })
    if (removed.length > 0) context.out.line('Deleted Images:')
    for (const line of removed) {
      context.out.line('untagged' in line ? `untagged: ${line.untagged}` : `deleted: ${line.deleted}`)
    }
    if (removed.length > 0) context.out.line()
    context.out.line(`Total reclaimed space: ${humanSize(reclaimed)}`)
    return EXIT.ok
  },
}
