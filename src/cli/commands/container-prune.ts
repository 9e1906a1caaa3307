import type { Command } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { humanSize } from '../format/units.js'
import { confirm } from '../io/confirm.js'
import { filterContainers } from '../select/containers.js'
import type { Filter } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'container prune',
    aliases: ['container prune'],
    usage: '[OPTIONS]',
    summary: 'Remove all stopped containers',
    args: [0, 0],
    flags: [
      ['', 'filter', 'filter', 'Remove only what matches (label=...)'],
      ['f', 'force', 'bool', 'Do not ask'],
    ],
  },
  async run(flags, context) {
    const filters = flags.list<Filter>('filter')
    const other = filters.find(({ name }) => name !== 'label')
    if (other !== undefined) throw new UsageError(`invalid filter '${other.name}' (use label)`, 'container prune')
    if (!flags.bool('force') && !(await confirm('This will remove all stopped containers.', context))) return EXIT.ok
    const engine = await context.engine()
    const all = await filterContainers(await engine.containers({ all: true }), filters, engine)
    const removed: string[] = []
    let bytes = 0
    for (const { id, state } of all) {
      if (state !== 'exited' && state !== 'created' && state !== 'dead') continue
      bytes += (await engine.containerSize(id)).written
      await (await engine.container(id)).remove()
      removed.push(id)
    }
    if (removed.length > 0) context.out.text(`Deleted Containers:\n${removed.join('\n')}\n\n`)
    context.out.line(`Total reclaimed space: ${humanSize(bytes)}`)
    return EXIT.ok
  },
}
