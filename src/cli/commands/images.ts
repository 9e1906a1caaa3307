import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import type { ParsedArgs } from '../flags/parse.js'
import { imageRows, imageStyle } from '../format/image-row.js'
import { imageTree } from '../format/image-tree.js'
import { formatList } from '../format/list.js'
import { shortId } from '../format/units.js'
import { filterImages } from '../select/images.js'
import type { Filter } from '../values/filter.js'

/** Docker's refusals, in its words. */
function checkTree(flags: ParsedArgs): void {
  for (const name of ['quiet', 'no-trunc', 'digests', 'format'] as const) {
    if (flags.has(name))
      throw new CodedError(
        `--${name === 'digests' ? 'show-digest' : name} is not yet supported with --tree`,
        EXIT.failure,
      )
  }
}

export const command: Command = {
  spec: {
    name: 'images',
    aliases: ['image ls', 'image list', 'images'],
    usage: '[OPTIONS] [REPOSITORY[:TAG]]',
    summary: 'List images',
    args: [0, 1],
    flags: [
      ['a', 'all', 'bool', 'Show intermediate images too'],
      ['', 'digests', 'bool', 'Show digests'],
      ['f', 'filter', 'filter', 'Show only what matches (name=value)'],
      ['', 'format', 'string', "'table', 'table TEMPLATE', 'json' or a Go template"],
      ['', 'no-trunc', 'bool', 'Do not cut columns'],
      ['q', 'quiet', 'bool', 'Show IDs only'],
      ['', 'tree', 'bool', 'Show names and platforms as a tree'],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const reference = flags.args[0]
    const filters = [
      ...flags.list<Filter>('filter'),
      ...(reference === undefined ? [] : [{ name: 'reference', value: reference, negated: false }]),
    ]
    if (flags.bool('tree')) {
      checkTree(flags)
      context.out.text(imageTree(filterImages(await engine.images.details(), filters)))
      return EXIT.ok
    }
    const images = filterImages(await engine.images(), filters)
    const truncate = !flags.bool('no-trunc')
    const format = flags.string('format')
    if (flags.bool('quiet') && format === undefined) {
      for (const image of images) {
        const times = Math.max(1, image.tags.length)
        for (let i = 0; i < times; i++) context.out.line(truncate ? shortId(image.id) : image.id)
      }
      return EXIT.ok
    }
    const digests = flags.bool('digests') || (format?.includes('.Digest') ?? false)
    const now = Date.now()
    const rows = images.flatMap((image) => imageRows(image, { now, truncate, digests }))
    context.out.text(formatList(imageStyle(flags.bool('digests')), rows, format))
    return EXIT.ok
  },
}
