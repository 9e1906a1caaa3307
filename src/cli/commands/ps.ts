import type { ContainerState } from '../../engine/types.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { containerRow, containerStyle } from '../format/container-row.js'
import { formatList } from '../format/list.js'
import { shortId } from '../format/units.js'
import { filterContainers } from '../select/containers.js'
import type { Filter } from '../values/filter.js'

/** States that `ps` shows without `-a`. */
const running: ReadonlySet<ContainerState> = new Set<ContainerState>(['running', 'paused', 'restarting'])

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
    const every = flags.bool('all') || last > 0 || filters.some(({ name }) => name === 'status')
    // Filters compare with containers that are not shown too.
    const matching = await filterContainers(await engine.containers({ all: true }), filters, engine)
    const shown = matching.filter(({ state }) => every || running.has(state))
    const list = last > 0 ? shown.slice(0, last) : shown
    const truncate = !flags.bool('no-trunc')
    const format = flags.string('format')
    if (flags.bool('quiet')) {
      if (format !== undefined) {
        context.err.line('WARNING: Ignoring custom format, because both --format and --quiet are set.')
      }
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
