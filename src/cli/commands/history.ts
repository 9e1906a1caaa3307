import { humanDuration } from '../../engine/duration.js'
import type { ImageHistoryEntry } from '../../engine/types.js'
import type { Command } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { formatList, type ListStyle } from '../format/list.js'
import { ellipsis, humanSize, rfc3339, shortId } from '../format/units.js'
import { parsePlatform } from '../values/words.js'

const CREATED_BY_WIDTH = 45

function style(human: boolean): ListStyle {
  return {
    typeName: '*formatter.historyContext',
    table: `{{.ID}}\t${human ? '{{.CreatedSince}}' : '{{.CreatedAt}}'}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`,
    headings: {
      ID: 'IMAGE',
      CreatedSince: 'CREATED',
      CreatedAt: 'CREATED AT',
      CreatedBy: 'CREATED BY',
      Size: 'SIZE',
      Comment: 'COMMENT',
    },
  }
}

function row(entry: ImageHistoryEntry, options: { now: number; human: boolean; truncate: boolean }) {
  const { id, createdAt, comment, size } = entry
  const createdBy = entry.createdBy.replaceAll('\t', ' ')
  return {
    Comment: comment,
    CreatedAt: createdAt > 0 ? rfc3339(createdAt) : '',
    CreatedBy: options.truncate ? ellipsis(createdBy, CREATED_BY_WIDTH) : createdBy,
    CreatedSince: createdAt > 0 ? `${humanDuration(options.now - createdAt)} ago` : 'N/A',
    ID: shownId(id, options.truncate),
    Size: options.human ? humanSize(size) : String(size),
  }
}

function shownId(id: string, truncate: boolean): string {
  return truncate && id.startsWith('sha256:') ? shortId(id) : id
}

export const command: Command = {
  spec: {
    name: 'history',
    aliases: ['image history', 'history'],
    usage: '[OPTIONS] IMAGE',
    summary: 'Show the history of an image',
    args: [1, 1],
    flags: [
      ['', 'format', 'string', "'table', 'table TEMPLATE', 'json' or a Go template"],
      ['H', 'human', 'bool', 'Print sizes and dates in human readable format', { default: 'true' }],
      ['', 'no-trunc', 'bool', 'Do not cut columns'],
      ['', 'platform', 'string', 'Fail unless it is for this platform (os/arch[/variant])', { parse: parsePlatform }],
      ['q', 'quiet', 'bool', 'Show IDs only'],
    ],
  },
  async run(flags, context) {
    const platform = flags.string('platform')
    const engine = await context.engine()
    const entries = await engine.images.history(flags.args[0]!, platform === undefined ? {} : { platform })
    const truncate = !flags.bool('no-trunc')
    const format = flags.string('format')
    if (flags.bool('quiet') && format === undefined) {
      for (const { id } of entries) context.out.line(shownId(id, truncate))
      return EXIT.ok
    }
    const human = flags.bool('human', true)
    const rows = entries.map((entry) => row(entry, { now: Date.now(), human, truncate }))
    context.out.text(formatList(style(human), rows, format))
    return EXIT.ok
  },
}
