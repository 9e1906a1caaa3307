/** Least width of a column, and the spaces after its longest cell: what docker's tables have. */
const MIN_WIDTH = 10
const PADDING = 3

/**
 * Aligns tab separated columns as Go's text/tabwriter does: a column is a run of adjacent lines that all have a cell
 * ended by a tab there; the last cell of a line belongs to no column.
 */
export function alignTabs(text: string, minWidth = MIN_WIDTH): string {
  const lines = text.split('\n').map((line) => line.split('\t'))
  const widths = lines.map((cells) => cells.map(() => 0))
  const depth = Math.max(0, ...lines.map((cells) => cells.length - 1))
  for (let column = 0; column < depth; column++) {
    for (let from = 0; from < lines.length; ) {
      let to = from
      while (to < lines.length && (lines[to] as string[]).length - 1 > column) to++
      const cells = lines.slice(from, to).map((line) => [...(line[column] as string)].length)
      const width = Math.max(minWidth, ...cells.map((length) => length + PADDING))
      for (let line = from; line < to; line++) (widths[line] as number[])[column] = width
      from = Math.max(to, from + 1)
    }
  }
  return lines
    .map((cells, line) => cells.map((cell, column) => pad(cell, (widths[line] as number[])[column] as number)).join(''))
    .join('\n')
}

function pad(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(width - [...cell].length, 0))
}
