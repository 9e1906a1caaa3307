import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { humanSize } from '../format/units.js'
import { confirm } from '../io/confirm.js'
import { keptByFilters } from '../select/networks.js'
import { prunedByFilters } from '../select/prune-containers.js'
import { pruneFilter } from '../select/prune-images.js'
import { volumePruneFilters } from '../select/volumes.js'
import type { Filter } from '../values/filter.js'

export const command: Command = {
  spec: {
    name: 'system prune',
    aliases: ['system prune'],
    usage: '[OPTIONS]',
    summary: 'Remove unused data',
    args: [0, 0],
    flags: [
      ['a', 'all', 'bool', 'Remove all unused images not just dangling ones'],
      ['', 'filter', 'filter', 'Remove only what matches (until=..., label=..., label!=...)'],
      ['f', 'force', 'bool', 'Do not ask'],
      ['', 'volumes', 'bool', 'Remove anonymous volumes that no container has, too'],
    ],
    examples: ['jubako system prune', 'jubako system prune -af --filter until=24h', 'jubako system prune --volumes'],
  },
  async run(flags, context) {
    const filters = flags.list<Filter>('filter')
    const now = Date.now()
    const all = flags.bool('all')
    const volumes = flags.bool('volumes')
    if (volumes && filters.some(({ name }) => name === 'until')) {
      throw new CodedError('the "until" filter is not supported with "--volumes"', EXIT.failure)
    }
    const containers = prunedByFilters(filters, now)
    const networks = keptByFilters(filters, now)
    const images = pruneFilter(filters, all, now)
    if (!flags.bool('force') && !(await confirm(warning({ all, volumes }, filters), context))) return EXIT.ok
    const engine = await context.engine()
    let reclaimed = 0
    const show = (title: string, lines: readonly string[]) => {
      if (lines.length > 0) context.out.text(`${title}\n${lines.join('\n')}\n\n`)
    }
    const pruned = await engine.pruneContainers({ filter: containers })
    show('Deleted Containers:', pruned.removed)
    show('Deleted Networks:', await engine.networks.prune({ keep: networks }))
    if (volumes) {
      const emptied = await engine.volumes.prune({ filters: volumePruneFilters(filters).filters })
      show('Deleted Volumes:', emptied.removed)
      reclaimed += emptied.reclaimed
    }
    const gone = await engine.images.prune(images)
    show(
      'Deleted Images:',
      gone.removed.map((line) => ('untagged' in line ? `untagged: ${line.untagged}` : `deleted: ${line.deleted}`)),
    )
    reclaimed += pruned.reclaimed + gone.reclaimed
    // Docker leaves the build cache alone when there is a filter that it does not have.
    if (filters.every(({ name }) => name === 'until')) reclaimed += (await engine.build.prune({ all })).reclaimed
    context.out.line(`Total reclaimed space: ${humanSize(reclaimed)}`)
    return EXIT.ok
  },
}

function warning({ all, volumes }: { all: boolean; volumes: boolean }, filters: readonly Filter[]): string {
  const lines = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    all ? 'all build cache' : 'unused build cache',
  ]
  const filtered = filters.map(({ name, value, negated }) => `  - ${name}${negated ? '!' : ''}=${value}`)
  return [
    'This will remove:',
    ...lines.map((line) => `  - ${line}`),
    ...(filtered.length > 0 ? ['\n  Items to be pruned will be filtered with:', ...filtered] : []),
    '',
  ].join('\n')
}
