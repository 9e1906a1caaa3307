import { EXAMPLES } from '../examples.js'
import type { CommandSpec, FlagRow } from '../flags/spec.js'
import { FLAG_TYPES } from '../flags/types.js'

/** Text as man(7) takes it: no escape of the text's own, no request at the beginning of a line. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
}

const page = (name: string): string => `jubako-${name.replaceAll(' ', '-')}`

function flagEntry([short, name, type, help, extra]: FlagRow): string {
  const { label } = FLAG_TYPES[type]
  const spelling = `${short === '' ? '' : `\\fB\\-${short}\\fR, `}\\fB\\-\\-${roff(name)}\\fR`
  const value = label === '' ? '' : `=\\fI${roff(label)}\\fR`
  const text = extra?.default === undefined ? help : `${help} (default ${extra.default})`
  return `.TP\n${spelling}${value}\n${roff(text)}.`
}

const shown = ([, , , , extra]: FlagRow): boolean =>
  extra?.hidden !== true && (extra?.status === undefined || extra.status === 'works')

function section(title: string, body: string): string[] {
  return body === '' ? [] : [`.SH ${title}`, body]
}

/** The manual page of a command, in section 1. */
export function manPage(spec: CommandSpec, version: string): string {
  const flags = spec.flags.filter(shown).sort((a, b) => (a[1] < b[1] ? -1 : 1))
  const examples = spec.examples ?? EXAMPLES[spec.name] ?? []
  const others = spec.aliases.filter((alias) => alias !== spec.name)
  const usage = spec.usage.split('\n').map((line) => line.trim().replace(/^jubako \\S+ /, ''))
  return `${[
    `.TH "${page(spec.name).toUpperCase()}" "1" "" "jubako ${roff(version)}" "jubako"`,
    ...section('NAME', `${roff(page(spec.name))} \\- ${roff(spec.summary)}`),
    ...section('SYNOPSIS', usage.map((line) => `\\fBjubako ${roff(spec.name)}\\fR ${roff(line)}`).join('\n.br\n')),
    ...section(
      'DESCRIPTION',
      `${roff(spec.summary)}.${others.length === 0 ? '' : `\n.PP\nAlso: ${roff(others.join(', '))}.`}`,
    ),
    ...section('OPTIONS', flags.map(flagEntry).join('\n')),
    ...section('EXAMPLES', examples.map((line) => `.PP\n.nf\n${roff(line)}\n.fi`).join('\n')),
    ...section('SEE ALSO', '\\fBjubako\\fR(1)'),
  ].join('\n')}\n`
}

/** The page of the program itself: its commands. */
export function manOverview(
  rows: readonly (readonly [name: string, summary: string])[],
  globals: readonly FlagRow[],
  version: string,
): string {
  const commands = rows.map(([name, summary]) => `.TP\n\\fB${roff(page(name))}\\fR(1)\n${roff(summary)}.`)
  return `${[
    `.TH "JUBAKO" "1" "" "jubako ${roff(version)}" "jubako"`,
    ...section('NAME', 'jubako \\- a complete container engine for Linux that lives inside Node.js'),
    ...section('SYNOPSIS', '\\fBjubako\\fR [OPTIONS] COMMAND [ARG...]'),
    ...section('OPTIONS', globals.map(flagEntry).join('\n')),
    ...section('COMMANDS', commands.join('\n')),
  ].join('\n')}\n`
}
