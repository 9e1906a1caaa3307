// lanes: host
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startRegistry } from '../fixtures/registry.js'
import { cli, result, Terminal } from '../helpers/cli.js'
import { testEngine } from '../helpers/engine.js'
import { tool } from '../helpers/processes.js'

t.test('build, from the command line', async (t) => {
  const it = await testEngine(t)
  await it.engine.tag(it.image, 'base')
  const jubako = cli(it)
  const folder = mkdtempSync(join(tmpdir(), 'jubako-build-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const at = (name: string) => join(folder, name)
  const write = (name: string, text: string) => writeFileSync(at(name), text)
  const ok = async (argv: string[], input?: string | Buffer) => {
    const got = await jubako.run(['build', ...argv], input === undefined ? {} : { input })
    t.equal(got.code, 0, `${argv.join(' ')}: ${got.stderr}`)
    return got
  }
  write('Dockerfile', 'FROM base\nARG WHO=nobody\nCOPY file /file\nRUN echo "$WHO" > /who\nCMD cat /who\n')
  write('file', 'contents\n')
  write('.dockerignore', 'out\n')

  const plain = await ok([
    '-t',
    'one',
    '-t',
    'two:2',
    '--build-arg',
    'WHO=me',
    '--label',
    'a=b',
    '--iidfile',
    at('id'),
    folder,
  ])
  t.match(plain.stderr, /#\d+ \[3\/3\] RUN echo "\$WHO" > \/who\n/)
  t.match(plain.stderr, /naming to two:2/)
  t.match(plain.stderr, /1 warning found:\n - JSONArgsRecommended: .* \(line 5\)/)
  const id = readFileSync(at('id'), 'utf8')
  t.match(id, /^sha256:[0-9a-f]{64}$/)
  t.equal((await jubako.run(['run', '--rm', '--network', 'none', 'one'])).stdout, 'me\n')
  const labels = await jubako.run(['inspect', '-f', '{{.Config.Labels.a}} {{.Id}}', 'two:2'])
  t.equal(labels.stdout, `b ${id}\n`)
  t.equal((await ok(['-q', '-t', 'one', '--build-arg', 'WHO=me', '--label', 'a=b', folder])).stdout, `${id}\n`)

  const json = await ok(['--progress', 'rawjson', folder])
  const documents = json.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { vertexes?: { name: string }[] })
  t.ok(documents.some(({ vertexes }) => vertexes?.[0]?.name.includes('COPY file /file')))

  await ok(['-q', '-f', '-', '-t', 'stdin', folder], 'FROM base\nCOPY file /x\n')
  t.equal((await jubako.run(['run', '--rm', '--network', 'none', 'stdin', 'cat', '/x'])).stdout, 'contents\n')
  await ok(['-q', '-t', 'empty', '-'], 'FROM base\nRUN echo no context > /x\n')
  await tool('tar', ['-C', folder, '-czf', at('context.tgz'), 'Dockerfile', 'file'])
  await ok(['-q', '-t', 'tarred', '-'], readFileSync(at('context.tgz')))
  write('Other', 'FROM scratch\nCOPY file /only\n')
  await ok(['-f', at('Other'), '--output', at('out'), folder])
  t.equal(readFileSync(at('out/only'), 'utf8'), 'contents\n')
  const tar = await ok(['-q', '-f', at('Other'), '--output', 'type=tar,dest=-', folder])
  t.match(tar.stdout, /ustar/)

  const failed = await jubako.run(['build', '-f', '-', folder], { input: 'FROM base\nRUN echo shown; exit 7\n' })
  t.equal(failed.code, 1)
  t.match(
    failed.stderr,
    / > \[2\/2\] RUN echo shown; exit 7:\nshown\n------\nDockerfile:2\n-+\n {3}1 \| {5}FROM base\n {3}2 \| >>> RUN/,
  )
  t.match(
    failed.stderr,
    /ERROR: failed to build: failed to solve: process "\/bin\/sh -c echo shown; exit 7" did not complete successfully: exit code: 7\n/,
  )
  const checked = await jubako.run(['build', '--check', folder])
  t.equal(checked.code, 1)
  t.match(checked.stdout, /Check complete, 1 warning has been found!\n\nWARNING: JSONArgsRecommended - https:/)
  const bad = await jubako.run(['build', '--output', 'type=nothing', folder])
  t.equal(bad.code, 125)
  t.match((await jubako.run(['build', at('nowhere')])).stderr, /unable to prepare context: path ".*nowhere" not found/)

  for (const [progress, pattern] of [
    ['auto', /#\d+ \[2\/3\] COPY file \/file\n/],
    ['plain', /#\d+ CACHED\n/],
    ['tty', /\[\+\] Building .*FINISHED/],
    ['quiet', /^$/],
  ] as const) {
    t.match((await ok(['--progress', progress, folder])).stderr, pattern, progress)
  }
  t.match((await jubako.run(['build', '--progress', 'loud', folder])).stderr, /invalid progress|progress/)

  const du = await jubako.run(['builder', 'du'])
  t.match(du.stdout, /^ID +RECLAIMABLE +SIZE +LAST ACCESSED\n[0-9a-z]{25}/)
  t.match(
    (await jubako.run(['builder', 'prune', '-f', '-a'])).stdout,
    /Deleted build cache objects:\n[\s\S]*Total reclaimed space: /,
  )
  t.match((await jubako.run(['builder', 'du'])).stdout, /^ID +RECLAIMABLE +SIZE +LAST ACCESSED\nReclaimable:\t0B/)
})

t.test('flags that choose what is built, and where it goes', async (t) => {
  await using registry = await startRegistry()
  const it = await testEngine(t)
  await it.engine.tag(it.image, 'base')
  const jubako = cli(it)
  const folder = mkdtempSync(join(tmpdir(), 'jubako-build-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'context'))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  const context = join(folder, 'context')
  const build = (...argv: string[]) => jubako.run(['build', ...argv])
  const shows = async (name: string, ...command: string[]) =>
    (await jubako.run(['run', '--rm', '--network', 'none', name, ...command])).stdout
  write('context/a', 'a')
  write('context/b', 'b')
  write('context/.dockerignore', 'a\nb\n')
  write('context/Inner', 'FROM base\nCOPY . /all\n')
  write('context/Inner.dockerignore', 'b\n*ner*\n')
  t.equal((await build('-t', 'inner', '-f', join(context, 'Inner'), context)).code, 0)
  t.equal(await shows('inner', 'ls', '-A', '/all'), '.dockerignore\na\n', 'the one of its own wins')
  write('Outer', 'FROM base\nCOPY . /all\n')
  write('Outer.dockerignore', '# of a Dockerfile outside\na\n*ner*\n.docker*\n')
  t.equal((await build('-t', 'outer', '-f', join(folder, 'Outer'), context)).code, 0)
  t.equal(await shows('outer', 'ls', '-A', '/all'), 'b\n')

  write(
    'Stages',
    'FROM base AS one\nRUN echo 1 > /one\nFROM base AS two\nRUN echo 2 > /two\nFROM one\nCOPY --from=two /two /two\n',
  )
  const stages = (...argv: string[]) => build('-f', join(folder, 'Stages'), '-t', 'stages', ...argv, context)
  const first = await stages()
  t.equal(first.code, 0, first.stderr)
  const anew = await stages('--no-cache-filter', 'two')
  t.match(anew.stderr, /\[one 2\/2\] RUN echo 1 > \/one\n#\d+ CACHED/)
  t.notMatch(anew.stderr, /RUN echo 2 > \/two\n#\d+ CACHED/)
  t.notMatch((await stages('--no-cache')).stderr, /CACHED/)
  const target = await stages('--target', 'two')
  t.notMatch(target.stderr, /RUN echo 1/)
  t.match((await stages('--target', 'tow')).stderr, /target stage "tow" could not be found \(did you mean two\?\)/)
  write('Foreign', 'FROM scratch\nARG TARGETARCH\nLABEL for=$TARGETARCH\nCOPY . /\n')
  t.equal((await build('-f', join(folder, 'Foreign'), '-t', 'foreign', '--platform', 'linux/arm64', context)).code, 0)
  const foreign = await jubako.run(['inspect', '-f', '{{.Architecture}} {{.Config.Labels.for}}', 'foreign'])
  t.equal(foreign.stdout, 'arm64 arm64\n')

  const tag = `${registry.address}/pushed:1`
  const pushed = await build('-f', join(folder, 'Stages'), '--output', `type=registry,name=${tag}`, context)
  t.equal(pushed.code, 0, pushed.stderr)
  t.equal((await build('-f', join(folder, 'Stages'), '--push', '-t', `${registry.address}/pushed:2`, context)).code, 0)
  const digests = await Promise.all(
    ['1', '2'].map(async (version) => {
      const name = `docker://${registry.address}/pushed:${version}`
      return (JSON.parse(await tool('skopeo', ['inspect', '--tls-verify=false', name])) as { Digest: string }).Digest
    }),
  )
  t.equal(digests[0], digests[1])

  write('Remote', `FROM ${tag}\nRUN cat /two\n`)
  await jubako.run(['rmi', '-f', tag])
  const pulled = await build('-f', join(folder, 'Remote'), context)
  t.match(pulled.stderr, /#\d+ [\d.]+ 2\n/, 'a base that is missing is fetched')
  const other = await build('-f', join(folder, 'Outer'), '-t', tag, '--push', context)
  t.equal(other.code, 0, other.stderr)
  await jubako.run(['tag', 'stages', tag])
  t.equal((await build('-f', join(folder, 'Remote'), context)).code, 0, 'the one that is here')
  t.match(
    (await build('--pull', '-f', join(folder, 'Remote'), context)).stderr,
    /can't open '\/two'/,
    'the one that is there',
  )
})

t.test('ctrl-c ends a build with nothing left', async (t) => {
  const it = await testEngine(t)
  await it.engine.tag(it.image, 'base')
  const jubako = cli(it)
  const child = jubako.start(['build', '-t', 'half', '-'])
  const ended = result(child)
  let said = ''
  let killed = false
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (killed || !/#2 [\d.]+ begun/.test(said)) return
    killed = true
    child.kill('SIGINT')
  })
  child.stdin.end('FROM base\nRUN echo begun; sleep 100\n')
  const { code, stderr } = await ended
  t.equal(code, 130)
  t.match(stderr, /ERROR: failed to build: failed to solve: Canceled: context canceled/)
  t.notOk((await it.engine.images()).some(({ tags }) => tags.includes('half:latest')))
  t.strictSame(await it.engine.containers({ all: true }), [])
})

t.test('a terminal shows the steps, and a shell where one failed', async (t) => {
  const it = await testEngine(t)
  await it.engine.tag(it.image, 'base')
  const folder = mkdtempSync(join(tmpdir(), 'jubako-build-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'Dockerfile'), 'FROM base\nENV A=seen\nRUN echo left > /left; exit 4\n')
  const terminal = new Terminal(`${cli(it).shell} build --debug-on-error ${folder}`)
  t.teardown(() => terminal.kill())
  await terminal.sees(/\[\+\] Building .*\(\d\/\d\)/)
  await terminal.sees(/Opening a shell where the step failed/)
  await terminal.type('cat /left; echo $A-value\r', /left[\s\S]*seen-value/)
  await terminal.type('exit\r', /exit/)
  t.equal((await terminal.ended).code, 1)
})
