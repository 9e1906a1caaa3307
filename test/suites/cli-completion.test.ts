import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { commands } from '../../src/cli/commands/table.js'
import { complete } from '../../src/cli/complete.js'
import { EXAMPLES } from '../../src/cli/examples.js'
import { parseFlags } from '../../src/cli/flags/parse.js'
import { manPage } from '../../src/cli/format/man.js'
import type { Engine } from '../../src/engine/engine.js'
import { JUBAKO } from '../helpers/cli.js'

const container = (name: string, state: string) => ({ name, state, image: 'debian:12' })
const containers = [container('web', 'running'), container('job', 'exited')]
/** The lists that completion asks for. */
const engine = async () =>
  ({
    containers: async ({ all }: { all: boolean }) => containers.filter(({ state }) => all || state === 'running'),
    images: async () => [{ id: `sha256:${'a'.repeat(64)}`, tags: ['debian:12', 'web:2'] }],
    networks: { list: async () => [{ name: 'front', driver: 'bridge' }] },
    volumes: { list: async () => [{ name: 'data', driver: 'local' }] },
  }) as unknown as Engine

const words = async (...typed: string[]) => (await complete(typed, commands, engine)).words.map(([word]) => word)

t.test('commands, flags, names and values', async (t) => {
  t.ok((await words('')).includes('container'))
  t.same(await words('cont'), ['container'])
  t.same(await words('container', 'ex'), ['exec', 'export'])
  t.same(await words('--root', '/x', '-D', 'stop', ''), ['web'])
  t.same(await words('start', ''), ['job'])
  t.same(await words('rm', '-f', ''), ['web', 'job'])
  t.same(await words('rm', 'web', 'j'), ['job'])
  t.same(await words('exec', '-it', 'w'), ['web'])
  t.same(await words('run', '--rm', '-it', ''), ['debian:12', 'web:2'])
  t.same(await words('run', '--net'), ['--net', '--net-alias', '--network', '--network-alias'].slice(2))
  t.same(await words('run', '--network', ''), ['front'])
  t.same(await words('run', '--network=f'), ['--network=front'])
  t.same(await words('run', '--pull', 'm'), ['missing'])
  t.same(await words('volume', 'rm', 'd'), ['data'])
  t.same(await words('network', 'connect', 'front', 'w'), ['web'])
  t.same(await words('logs', 'web', ''), [])
  t.ok((await complete(['run', '--env-file', ''], commands, engine)).files)
  t.ok((await complete(['run', 'debian:12', 'l'], commands, engine)).files)
  t.notOk((await words('run', '')).includes('--gpus'))
})

t.test('bash completes with the script', (t) => {
  const place = mkdtempSync(join(tmpdir(), 'jubako-completion-'))
  t.teardown(() => rmSync(place, { recursive: true, force: true }))
  const ask = (line: string) =>
    execFileSync(
      'bash',
      [
        '-c',
        `source <(jubako completion bash)
         COMP_LINE=$1; COMP_POINT=\${#1}; read -ra COMP_WORDS <<< "$1"; COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
         _jubako; echo "\${COMPREPLY[*]}"`,
        'bash',
        line,
      ],
      {
        env: {
          ...process.env,
          PATH: `${dirname(JUBAKO)}:${process.env.PATH}`,
          JUBAKO_ROOT: place,
          JUBAKO_RUN_ROOT: place,
        },
      },
    )
      .toString()
      .trim()
  t.equal(ask('jubako uns'), '')
  t.equal(ask('jubako unp'), 'unpause')
  t.equal(ask('jubako container unp'), 'unpause')
  t.equal(ask('jubako run --pull=alw'), '--pull=always')
  for (const shell of ['zsh', 'fish']) {
    t.match(execFileSync(JUBAKO, ['completion', shell]).toString(), 'jubako __complete')
  }
  t.end()
})

/** A line as a shell takes it apart, up to a pipe or redirection. */
function shellWords(line: string): string[] {
  const found = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
  const end = found.findIndex((word) => /^[<>|]$/.test(word))
  return end < 0 ? found : found.slice(0, end)
}

t.test('every command has examples, and they are right', async (t) => {
  for (const { names, load } of commands) {
    const { spec } = (await load()).command
    const examples = spec.examples ?? EXAMPLES[spec.name] ?? []
    t.ok(examples.length > 0, `${spec.name} has examples`)
    for (const line of examples) {
      const [program, ...rest] = shellWords(line.replace(/^.*\| (?=jubako )/, ''))
      t.equal(program, 'jubako', line)
      const name = names.find((it) => rest.join(' ').startsWith(it))
      t.ok(name, line)
      const { args } = parseFlags(spec, rest.slice(name!.split(' ').length))
      t.ok(args.length >= spec.args[0] && args.length <= spec.args[1], line)
    }
  }
})

t.test('a manual page for every command', async (t) => {
  for (const { load } of commands) {
    const { spec } = (await load()).command
    const page = manPage(spec, '1.2.3')
    const title = `JUBAKO-${spec.name.replaceAll(' ', '-').toUpperCase()}`
    t.match(page, new RegExp(`^\\.TH "${title}" "1" "" "jubako 1\\.2\\.3"`))
    for (const name of ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'EXAMPLES']) t.match(page, `.SH ${name}\n`)
    // A line that begins with a dot or an apostrophe is a request: only those that man(7) has.
    for (const [, request] of page.matchAll(/^[.'](\S*)/gm)) t.match(request, /^(TH|SH|TP|PP|br|nf|fi)$/, spec.name)
  }
})
