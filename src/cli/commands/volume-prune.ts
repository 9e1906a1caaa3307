import { invalidArgument } from '../../errors/index.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { humanSize } from '../format/units.js'
import { confirm } from '../io/confirm.js'
import type { Filter } from '../values/filter.js'
import { filterLists } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'volume prune',
    aliases: ['volume prune'],
    usage: '[OPTIONS]',
    summary: 'Remove unused local volumes',
    args: [0, 0],
    flags: [
      ['a', 'all', 'bool', 'Remove all unused volumes, not just anonymous ones'],
      ['', 'filter', 'filter', 'Remove only what matches (label=...)'],
      ['f', 'force', 'bool', 'Do not ask'],
    ],
  },
  async run(flags, context) {
    const all = flags.bool('all')
    const { label, 'label!': not, ...others } = filterLists(flags.list<Filter>('filter'))
    const [other] = Object.keys(others)
    if (other !== undefined) throw invalidArgument(`invalid filter '${other}'`, { hint: 'known are label and label!' })
    const question = `This will remove ${all ? 'all' : 'anonymous'} local volumes not used by at least one container.`
    if (!flags.bool('force') && !(await confirm(question, context))) return EXIT.ok
    const engine = await context.engine()
    const filters = { ...(label !== undefined && { label }), ...(not !== undefined && { 'label!': not }) }
    const { removed, reclaimed } = await engine.volumes.prune({ all, filters })
    if (removed.length > 0) context.out.text(`Deleted Volumes:\n${removed.join('\n')}\n\n`)
    context.out.line(`Total reclaimed space: ${humanSize(reclaimed)}`)
    return EXIT.ok
  },
}
