import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { formatList } from '../format/list.js'
import { volumeRow, volumeStyle } from '../format/volume-row.js'
import { volumeFilters } from '../select/volumes.js'
import type { Filter } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'volume ls',
    aliases: ['volume list', 'volume ls'],
    usage: '[OPTIONS]',
    summary: 'List volumes',
    args: [0, 0],
    flags: [
      [
        '',
        'cluster',
        'bool',
        'Only cluster volumes',
        { status: 'refused', reason: 'jubako runs containers on one machine', hidden: true },
      ],
      ['f', 'filter', 'filter', 'Show only what matches (dangling, driver, label, name)'],
      ['', 'format', 'string', "'table', 'table TEMPLATE', 'json' or a Go template"],
      ['q', 'quiet', 'bool', 'Show names only'],
    ],
  },
  async run(flags, context) {
    const filters = volumeFilters(flags.list<Filter>('filter'))
    const engine = await context.engine()
    const volumes = await engine.volumes.list(filters)
    const format = flags.string('format')
    if (flags.bool('quiet') && format === undefined) {
      for (const { name } of volumes) context.out.line(name)
      return EXIT.ok
    }
    context.out.text(formatList(volumeStyle, volumes.map(volumeRow), format))
    return EXIT.ok
  },
}
