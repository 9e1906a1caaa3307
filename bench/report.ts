import type { Goal, SectionResult } from './context.js'
import { median, summarize } from './measure.js'

function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...body.map(line)].join('\n')
}

const milliseconds = (value: number) =>
  value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)

function samplesTable({ samples = [], ratioTo = [] }: SectionResult): string {
  const references = ratioTo.flatMap((name) => samples.filter((sample) => sample.name === name))
  const head = [
    '',
    'median (ms)',
    'p90',
    'least',
    'runs',
    ...references.map(({ name }) => `ratio to ${name.split(':')[0]}`),
  ]
  const rows = samples.map((sample) => {
    const { name, median: middle, p90, min, runs } = summarize(sample)
    const ratios = references.map(({ times }) => (middle / median(times)).toFixed(2))
    return [name, milliseconds(middle), milliseconds(p90), milliseconds(min), `${runs}`, ...ratios]
  })
  return table([head, ...rows])
}

function goalLine({ text, measured, reached }: Goal): string {
  return `- ${reached ? 'reached' : '**missed**'}: ${text} (${measured})`
}

/** One section as Markdown. */
export function sectionText(result: SectionResult): string {
  const parts = [`## ${result.title}`, result.method]
  if (result.samples) parts.push(samplesTable(result))
  if (result.table) parts.push(table(result.table))
  if (result.goals?.length) parts.push(result.goals.map(goalLine).join('\n'))
  if (result.absent?.length)
    parts.push(result.absent.map(({ name, reason }) => `Not measured: ${name} (${reason}).`).join('\n'))
  return parts.join('\n\n')
}

/** The whole document. */
export function documentText(facts: readonly string[], rounds: number, sections: readonly string[]): string {
  const head = [
    '# Benchmarks',
    'Written by `npm run bench`. Subjects of one table ran interleaved in one run, in an order that changed every round;' +
      ` ${rounds} rounds unless a table says otherwise.`,
    facts.map((fact) => `- ${fact}`).join('\n'),
  ]
  return `${[...head, ...sections].join('\n\n')}\n`
}
