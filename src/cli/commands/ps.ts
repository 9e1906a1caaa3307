import type { ContainerSummary } from '../../engine/types.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { containerRow, containerStyle } from '../format/container-row.js'
import { formatList } from '../format/list.js'
import { shortId } from '../format/units.js'
import { filterContainers } from '../select/containers.js'
import type { Filter } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'ps',
    aliases: ['container ls', 'container list', 'container ps', 'ps'],
    usage: '[OPTIONS]',
    summary: 'List containers',
    args: [0, 0],
    flags: [
      ['a', 'all', 'bool', 'Show stopped ones too'],
      ['f', 'filter', 'filter', 'Show only what matches (name=value)'],
      ['', 'format', 'string', "'table', 'table TEMPLATE', 'json' or a Go template"],
      ['n', 'last', 'int', 'Show the n last created, in any state', { default: '-1' }],
      ['l', 'latest', 'bool', 'Show the last created, in any state'],
      ['', 'no-trunc', 'bool', 'Do not cut columns'],
      ['q', 'quiet', 'bool', 'Show IDs only'],
      ['s', 'size', 'bool', 'Show sizes'],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const filters = flags.list<Filter>('filter')
    const last = flags.bool('latest') ? 1 : (flags.number('last') ?? -1)
    const byState = filters.some(({ name }) => name === 'status' || name === 'exited')
    const all = flags.bool('all') || last > 0 || byState
    let list: ContainerSummary[] = await filterContainers(await engine.containers({ all }), filters, engine)
    if (last > 0) list = list.slice(0, last)
    const truncate = !flags.bool('no-trunc')
    const format = flags.string('format')
    if (flags.bool('quiet') && format === undefined) {
      for (const { id } of list) context.out.line(truncate ? shortId(id) : id)
      return EXIT.ok
    }
    const now = Date.now()
    const withSize = flags.bool('size') || (format?.includes('.Size') ?? false)
    const rows = await Promise.all(
      list.map(async (container) =>
        containerRow(container, {
          now,
          truncate,
          size: withSize ? await engine.containerSize(container.id) : undefined,
        }),
      ),
    )
    context.out.text(formatList(containerStyle(flags.bool('size')), rows, format))
    return EXIT.ok
  },
}
