import { EXAMPLES } from './examples.js'
import type { CommandSpec, FlagRow } from './flags/spec.js'
import { FLAG_TYPES } from './flags/types.js'

export const usageLine = ({ name, usage }: CommandSpec): string =>
  `Usage:  jubako ${name}${usage === '' ? '' : ` ${usage}`}`

/** The text of `jubako <command> --help`, in docker's layout. */
export function commandHelp(spec: CommandSpec, columns: number): string {
  const parts = [usageLine(spec), spec.summary]
  if (spec.aliases.length > 1) parts.push(`Aliases:\n  ${spec.aliases.map((alias) => `jubako ${alias}`).join(', ')}`)
  const options = flagHelp(spec.flags, columns)
  if (options !== '') parts.push(`Options:\n${options}`)
  const examples = spec.examples ?? EXAMPLES[spec.name]
  if (examples !== undefined) parts.push(`Examples:\n${examples.map((line) => `  ${line}`).join('\n')}`)
  return `${parts.join('\n\n')}\n`
}

/** The lines of an `Options:` block: one flag each, sorted by name, help wrapped to the terminal's width. */
export function flagHelp(flags: readonly FlagRow[], columns: number): string {
  const visible = flags.filter((row) => row[4]?.hidden !== true && (row[4]?.status ?? 'works') === 'works')
  const rows = visible.map((row): [string, string] => [left(row), right(row)]).sort((a, b) => compare(a[0], b[0]))
  const width = Math.max(0, ...rows.map(([flag]) => flag.length)) + 3
  return rows.map(([flag, help]) => flag.padEnd(width) + wrap(help, columns - width, width)).join('\n')
}

/** Two columns of names and texts, for lists of commands. */
export function commandList(rows: readonly (readonly [name: string, summary: string])[]): string {
  const width = Math.max(10, ...rows.map(([name]) => name.length)) + 2
  return rows.map(([name, summary]) => `  ${name.padEnd(width)}${summary}`).join('\n')
}

function left([short, name, type]: FlagRow): string {
  const label = FLAG_TYPES[type].label
  return `  ${short === '' ? '    ' : `-${short}, `}--${name}${label === '' ? '' : ` ${label}`}`
}

function right([, , , help, extra]: FlagRow): string {
  return extra?.default === undefined ? help : `${help} (default ${extra.default})`
}

const longName = (flag: string): string => flag.slice(flag.indexOf('--'))
const compare = (a: string, b: string): number => (longName(a) < longName(b) ? -1 : 1)

function wrap(text: string, width: number, indent: number): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string
    if (line !== '' && line.length + 1 + word.length > Math.max(width, 24)) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}
