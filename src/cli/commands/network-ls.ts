import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { formatList } from '../format/list.js'
import { networkRow, networkStyle } from '../format/network-row.js'
import { shortId } from '../format/units.js'
import { filterNetworks } from '../select/networks.js'
import type { Filter } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'network ls',
    aliases: ['network ls', 'network list'],
    usage: '[OPTIONS]',
    summary: 'List networks',
    args: [0, 0],
    flags: [
      ['f', 'filter', 'filter', 'Show only what matches (driver, id, label, name, scope, type, dangling)'],
      ['', 'format', 'string', "'table', 'table TEMPLATE', 'json' or a Go template"],
      ['', 'no-trunc', 'bool', 'Do not cut columns'],
      ['q', 'quiet', 'bool', 'Show IDs only'],
    ],
  },
  async run(flags, context) {
    const { networks } = await context.engine()
    const list = filterNetworks(await networks.list(), flags.list<Filter>('filter'), await networks.used())
    const truncate = !flags.bool('no-trunc')
    const format = flags.string('format')
    if (flags.bool('quiet') && format === undefined) {
      for (const { id } of list) context.out.line(truncate ? shortId(id) : id)
      return EXIT.ok
    }
    context.out.text(
      formatList(
        networkStyle,
        list.map((network) => networkRow(network, truncate)),
        format,
      ),
    )
    return EXIT.ok
  },
}
