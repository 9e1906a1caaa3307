import type { CacheEntry } from '../../engine/build-types.js'
import type { Command } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { humanSize } from '../format/units.js'
import { confirm } from '../io/confirm.js'
import { parseDuration } from '../values/duration.js'
import type { Filter } from '../values/filter.js'

type Test = (entry: CacheEntry) => boolean

const before = (time: number): Test => {
  if (Number.isNaN(time)) throw new Error('no time')
  return (entry) => entry.lastUsedAt <= time
}

const isTrue = (value: string) => !/^(0|f|false)$/i.test(value)

const FILTERS: Readonly<Record<string, (value: string) => Test>> = {
  until: (value) => before(/^[\d.]+[a-zµ]/.test(value) ? Date.now() - parseDuration(value) : Date.parse(value)),
  'unused-for': (value) => before(Date.now() - parseDuration(value)),
  id: (value) => (entry) => entry.id.startsWith(value),
  type: (value) => (entry) => entry.kind === value,
  description: (value) => (entry) => entry.description.includes(value),
  inuse: (value) => (entry) => entry.inUse === isTrue(value),
  shared: (value) => (entry) => entry.shared === isTrue(value),
  private: (value) => (entry) => entry.shared !== isTrue(value),
}

function testOf({ name, value, negated }: Filter): Test {
  const make = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined
  if (make === undefined) {
    throw new UsageError(`invalid filter '${name}' (use ${Object.keys(FILTERS).join(', ')})`, 'builder prune')
  }
  try {
    const test = make(value)
    return (entry) => test(entry) !== negated
  } catch {
    throw new UsageError(`invalid filter ${name}=${value}`, 'builder prune')
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
    const filters = flags.list<Filter>('filter').map(testOf)
    const keepStorage = flags.value<number>('keep-storage')
    const engine = await context.engine()
    const { deleted, reclaimed } = await engine.build.prune({
      all,
      filter: (entry) => filters.every((test) => test(entry)),
      ...(keepStorage !== undefined && { keepStorage }),
    })
    if (deleted.length > 0)
      context.out.text(`Deleted build cache objects:\n${deleted.map(({ id }) => id).join('\n')}\n\n`)
    context.out.line(`Total reclaimed space: ${humanSize(reclaimed)}`)
    return EXIT.ok
  },
}
