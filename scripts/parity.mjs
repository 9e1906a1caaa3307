// Writes docs/parity.md from the command line's own tables. `--check`: fails when the file is not what it would write.
// dist/src must be there.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from './lib/root.mjs'
import { main } from './lib/run.mjs'

const FILE = join(ROOT, 'docs/parity.md')
const load = (path) => import(pathToFileURL(join(ROOT, 'dist/src/cli', path)).href)
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')

function flagLine([short, name, type, help, extra = {}], label) {
  const spelling = `${short === '' ? '' : `\`-${short}\`, `}\`--${name}\``
  const value = type === 'bool' ? '' : label
  const note = extra.reason ?? (extra.alias === undefined ? help : `another spelling of \`--${extra.alias}\``)
  return `| ${spelling} | ${value} | ${extra.status ?? 'works'} | ${cell(note)} |`
}

async function commandSection({ names, load: loadCommand }, types) {
  const { spec } = (await loadCommand()).command
  const others = names.filter((name) => name !== spec.name).map((name) => `\`${name}\``)
  const lines = [`### ${spec.name}`, `${spec.summary}.${others.length > 0 ? ` Also: ${others.join(', ')}.` : ''}`]
  const flags = spec.flags.filter(([, name]) => name !== 'help')
  if (flags.length > 0) {
    const rows = [...flags].sort((a, b) => (a[1] < b[1] ? -1 : 1)).map((row) => flagLine(row, types[row[2]].label))
    lines.push(['| Flag | Value | Status | |', '|---|---|---|---|', ...rows].join('\n'))
  }
  return lines.join('\n\n')
}

async function render() {
  const { commands } = await load('commands/table.js')
  const { absentCommands } = await load('commands/absent.js')
  const { FLAG_TYPES } = await load('flags/types.js')
  const absent = absentCommands.map(
    ({ names, status, reason }) => `| ${names.map((name) => `\`${name}\``).join(', ')} | ${status} | ${cell(reason)} |`,
  )
  const sections = await Promise.all(commands.map((entry) => commandSection(entry, FLAG_TYPES)))
  return `${[
    '# The command line beside docker’s',
    'Made by `node scripts/parity.mjs` from the tables that the command line itself runs on. *works*: as docker does it. ' +
      '*missing*: on the way; using it is an error that says so. *refused*: not planned, with the reason.',
    '## Commands that work',
    ...sections,
    '## Other commands of docker',
    ['| Command | Status | |', '|---|---|---|', ...absent].join('\n'),
  ].join('\n\n')}\n`
}

await main(async () => {
  const text = await render()
  if (!process.argv.includes('--check')) writeFileSync(FILE, text)
  else if (readFileSync(FILE, 'utf8') !== text) throw new Error('docs/parity.md is old: run `node scripts/parity.mjs`')
})
