import type { SearchResult } from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { formatList, type ListStyle } from '../format/list.js'
import { ellipsis } from '../format/units.js'
import type { Filter } from '../values/filter.js'

const DESCRIPTION_WIDTH = 45

const style: ListStyle = {
  typeName: '*formatter.searchContext',
  table: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
  headings: {
    Name: 'NAME',
    Description: 'DESCRIPTION',
    StarCount: 'STARS',
    IsOfficial: 'OFFICIAL',
    IsAutomated: 'AUTOMATED',
  },
}

const mark = (value: boolean): string => (value ? '[OK]' : '')

function testOf({ name, value }: Filter): (result: SearchResult) => boolean {
  const wanted = /^(1|t|true)$/i.test(value)
  const flag = /^(1|t|true|0|f|false)$/i.test(value)
  if (name === 'stars' && /^\d+$/.test(value)) return ({ stars }) => stars >= Number(value)
  if (name === 'is-official' && flag) return ({ official }) => official === wanted
  if (name === 'is-automated' && flag) return ({ automated }) => automated === wanted
  const known = ['stars', 'is-official', 'is-automated'].includes(name)
  throw invalidArgument(known ? `invalid filter '${name}=[${value}]'` : `invalid filter '${name}'`, {
    hint: 'known are is-automated, is-official and stars',
  })
}

export const command: Command = {
  spec: {
    name: 'search',
    aliases: ['search'],
    usage: '[OPTIONS] TERM',
    summary: 'Search a registry for images',
    args: [1, 1],
    flags: [
      ['f', 'filter', 'filter', 'Show only what matches (stars=3, is-official=true)'],
      ['', 'format', 'string', "'table', 'table TEMPLATE', 'json' or a Go template"],
      ['', 'limit', 'int', 'Most results (1 to 100)', { default: '25' }],
      ['', 'no-trunc', 'bool', 'Do not cut columns'],
    ],
  },
  async run(flags, context) {
    const tests = flags.list<Filter>('filter').map(testOf)
    const engine = await context.engine()
    const limit = flags.number('limit') || 25
    const found = await engine.images.search(flags.args[0]!, { limit })
    const truncate = !flags.bool('no-trunc')
    const rows = found
      .filter((result) => tests.every((test) => test(result)))
      .map(({ name, description, stars, official, automated }) => ({
        Description: truncate ? ellipsis(description, DESCRIPTION_WIDTH) : description,
        IsAutomated: mark(automated),
        IsOfficial: mark(official),
        Name: name,
        StarCount: String(stars),
      }))
    context.out.text(formatList(style, rows, flags.string('format')))
    return EXIT.ok
  },
}
