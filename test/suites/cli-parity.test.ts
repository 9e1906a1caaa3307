import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { absentCommands } from '../../src/cli/commands/absent.js'
import { commands } from '../../src/cli/commands/table.js'
import { CHECKOUT } from '../helpers/checkout.js'

/** Every command of docker with its spellings and, outside of cluster commands, its flags (`-f --force`). */
interface DockerCommand {
  names: string[]
  flags: string[]
}

const docker: DockerCommand[] = JSON.parse(
  readFileSync(join(CHECKOUT, 'test/fixtures/docker-commands.json'), 'utf8'),
) as DockerCommand[]
const groups = new Set(commands.flatMap(({ names }) => names.map((name) => name.split(' ')[0])))
const entryOf = ({ names }: DockerCommand) => commands.find((entry) => names.some((name) => entry.names.includes(name)))

t.test('every command of docker works or is named as absent', (t) => {
  const absent = new Set(absentCommands.flatMap(({ names }) => names))
  for (const command of docker) {
    if (entryOf(command) !== undefined) continue
    const { names } = command
    const known = names.every((name) => absent.has(name) || absent.has(name.split(' ')[0]!) || groups.has(name))
    t.ok(known, names.join(', '))
  }
  t.end()
})

t.test('a command that works has all of its spellings and flags', async (t) => {
  for (const command of docker) {
    const entry = entryOf(command)
    if (entry === undefined) continue
    t.strictSame(
      command.names.filter((name) => !entry.names.includes(name)),
      [],
      `${command.names[0]}: spellings`,
    )
    const { spec } = (await entry.load()).command
    const rows = new Set(spec.flags.map(([short, name]) => `${short === '' ? '' : `-${short} `}--${name}`))
    t.strictSame(
      command.flags.filter((flag) => !rows.has(flag)),
      [],
      `${command.names[0]}: flags`,
    )
  }
})

t.test('no spelling has two meanings', (t) => {
  const all = [...commands, ...absentCommands].flatMap(({ names }) => names)
  t.strictSame(
    all.filter((name, at) => all.indexOf(name) !== at),
    [],
  )
  t.end()
})

t.test('a flag that does not work says why', async (t) => {
  for (const entry of commands) {
    for (const [, name, , , extra] of (await entry.load()).command.spec.flags) {
      if (extra?.status !== undefined && extra.status !== 'works') t.ok(extra.reason, `${entry.names[0]} --${name}`)
    }
  }
})

t.test('docs/parity.md is what the tables say', (t) => {
  t.doesNotThrow(() => execFileSync(process.execPath, [join(CHECKOUT, 'scripts/parity.mjs'), '--check']))
  t.end()
})
