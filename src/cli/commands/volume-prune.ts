import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { humanSize } from '../format/units.js'
import { confirm } from '../io/confirm.js'
import { volumePruneFilters } from '../select/volumes.js'
import type { Filter } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'volume prune',
    aliases: ['volume prune'],
    usage: '[OPTIONS]',
    summary: 'Remove unused local volumes',
    args: [0, 0],
    flags: [
      ['a', 'all', 'bool', 'Remove all unused volumes, not just anonymous ones'],
      ['', 'filter', 'filter', 'Remove only what matches (label=..., label!=..., all=true)'],
      ['f', 'force', 'bool', 'Do not ask'],
    ],
  },
  async run(flags, context) {
    const { all: filtered, filters } = volumePruneFilters(flags.list<Filter>('filter'))
    if (flags.bool('all') && filtered !== undefined) {
      throw new CodedError('conflicting options: cannot specify both --all and --filter all=1', EXIT.failure)
    }
    const all = flags.bool('all') || filtered === true
    const question = `This will remove ${all ? 'all' : 'anonymous'} local volumes not used by at least one container.`
    if (!flags.bool('force') && !(await confirm(question, context))) return EXIT.ok
    const engine = await context.engine()
    const { removed, reclaimed } = await engine.volumes.prune({ all, filters })
    if (removed.length > 0) context.out.text(`Deleted Volumes:\n${removed.join('\n')}\n\n`)
    context.out.line(`Total reclaimed space: ${humanSize(reclaimed)}`)
    return EXIT.ok
  },
}
