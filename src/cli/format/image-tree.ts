import type { ImageDetails } from '../../engine/types.js'
import { humanSize, shortId } from './units.js'

const HEADINGS = ['IMAGE', 'ID', 'DISK USAGE', 'CONTENT SIZE', 'EXTRA'] as const
const GAP = '   '
const UNTAGGED = '<untagged>'

/** `images --tree`: each image with its names, and below it the platforms that the names stand for. */
export function imageTree(images: readonly ImageDetails[]): string {
  const blocks = images.map(blockOf)
  const rows = [HEADINGS, ...blocks.flat()]
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const lineOf = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 2 || column === 3 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join(GAP)
      .trimEnd()
  const parts = blocks.map((block) => block.map((row) => `${lineOf(row)}\n`).join(''))
  return `${lineOf(HEADINGS)}\n${parts.join('\n')}`
}

function blockOf(image: ImageDetails): string[][] {
  const [first = UNTAGGED, ...others] = image.tags
  const usage = humanSize(image.size + image.contentSize)
  return [
    [first, shortId(image.target), usage, humanSize(image.contentSize), image.inUse ? 'U' : ''],
    ...others.map((name) => [name, '', '', '', '']),
    ...image.platforms.map(({ platform, digest, size, contentSize }, i) => [
      `${i === image.platforms.length - 1 ? '└─' : '├─'} ${platform}`,
      shortId(digest),
      humanSize(size + contentSize),
      humanSize(contentSize),
      '',
    ]),
  ]
}
