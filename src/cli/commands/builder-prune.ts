import type { CacheEntry } from '../../engine/build-types.js'
import type { Command } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { humanSize } from '../format/units.js'
import { confirm } from '../io/confirm.js'
import { parseDuration } from '../values/duration.js'
import type { Filter } from '../values/filter.js'

/** Whether an entry is what a filter names. */
function matches(entry: CacheEntry, { name, value, negated }: Filter): boolean {
  return test(entry, name, value) !== negated
}

function test(entry: CacheEntry, name: string, value: string): boolean {
  switch (name) {
    case 'until': {
      const time = /^[\d.]+[a-zµ]/.test(value) ? Date.now() - parseDuration(value) / 1e6 : Date.parse(value)
      if (Number.isNaN(time)) throw new UsageError(`invalid filter until=${value}`, 'builder prune')
      return entry.lastUsedAt <= time
    }
    case 'unused-for':
      return entry.lastUsedAt <= Date.now() - parseDuration(value) / 1e6
    case 'id':
      return entry.id.startsWith(value)
    case 'type':
      return entry.kind === value
    case 'description':
      return entry.description.includes(value)
    case 'inuse':
      return entry.inUse
    case 'shared':
      return entry.shared
    default:
      throw new UsageError(
        `invalid filter '${name}' (use until, unused-for, id, type, description, inuse, shared)`,
        'builder prune',
      )
  }
}

export const command: Command = {
  spec: {
    name: 'builder prune',
    aliases: ['builder prune'],
    usage: '[OPTIONS]',
    summary: 'Remove build cache',
    args: [0, 0],
    flags: [
      ['a', 'all', 'bool', 'Remove cache mounts too'],
      ['', 'filter', 'filter', 'Remove only what matches (until=24h, id=..., type=...)'],
      ['f', 'force', 'bool', 'Do not ask'],
      ['', 'keep-storage', 'bytes', 'Bytes of cache that stay'],
    ],
  },
  async run(flags, context) {
    const all = flags.bool('all')
    const warning = all ? 'This will remove all build cache.' : 'This will remove all dangling build cache.'
    if (!flags.bool('force') && !(await confirm(warning, context))) return EXIT.ok
    const filters = flags.list<Filter>('filter')
    const keepStorage = flags.value<number>('keep-storage')
    const engine = await context.engine()
    const { deleted, reclaimed } = await engine.build.prune({
      all,
      filter: (entry) => filters.every((filter) => matches(entry, filter)),
      ...(keepStorage !== undefined && { keepStorage }),
    })
    if (deleted.length > 0)
      context.out.text(`Deleted build cache objects:\n${deleted.map(({ id }) => id).join('\n')}\n\n`)
    context.out.line(`Total reclaimed space: ${humanSize(reclaimed)}`)
    return EXIT.ok
  },
}
