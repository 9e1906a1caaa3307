// lanes: host
/** What `build` answers without building, and what goes into the manifest. */
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { testEngine } from '../helpers/engine.js'

const TEXT = `# check=skip=JSONArgsRecommended
# VERSION What is built
ARG VERSION=1
ARG OTHER
# base Tools and sources
FROM base AS base
# MODE How it is built
ARG MODE=fast
RUN --mount=type=secret,id=token,required --mount=type=ssh true
FROM base AS unused
ARG UNUSED=x
# final What is delivered
FROM base AS final
ARG VERSION
CMD echo
`

t.test('questions about a Dockerfile', async (t) => {
  const it = await testEngine(t)
  const jubako = cli(it)
  const ask = (text: string, ...flags: string[]) => jubako.run(['build', ...flags, '-'], { input: text })
  const targets = await ask(TEXT, '--call', 'targets')
  t.equal(
    targets.stdout,
    'TARGET            DESCRIPTION\n' +
      'base              Tools and sources\n' +
      'unused            \n' +
      'final (default)   What is delivered\n',
  )
  const outline = await ask(TEXT, '--call=outline', '--build-arg', 'MODE=slow')
  t.equal(
    outline.stdout,
    'TARGET:      final\nDESCRIPTION: What is delivered\n\n' +
      'BUILD ARG   VALUE   DESCRIPTION\n' +
      'VERSION     1       What is built\n' +
      'OTHER               \n' +
      'MODE        slow    How it is built\n\n' +
      'SECRET   REQUIRED\ntoken    true\n\n' +
      'SSH       REQUIRED\ndefault   \n\n',
  )
  const json = JSON.parse((await ask(TEXT, '--call', 'targets,format=json')).stdout) as { targets: { name: string }[] }
  t.strictSame(
    json.targets.map(({ name }) => name),
    ['base', 'unused', 'final'],
  )
  const good = await ask(TEXT, '--call', 'check')
  t.equal(good.stdout, 'Check complete, no warnings found.\n')
  t.equal(good.code, 0)
  const bad = await ask('FROM base AS One\nRUN true\n', '--call', 'check,format=json')
  t.equal(bad.code, 1)
  t.match(JSON.parse(bad.stdout), {
    warnings: [{ ruleName: 'StageNameCasing', location: { ranges: [{ start: { line: 1 } }] } }],
  })
  const strict = await ask('# check=error=true\nFROM base AS One\nRUN true\n')
  t.equal(strict.code, 1)
  t.match(strict.stderr, /lint violation found for rules: StageNameCasing/)
  t.match((await ask(TEXT, '--call', 'dance')).stderr, /unknown method "dance"/)
  t.match(
    (await ask('FROM base\nRNU true\n', '--call', 'targets')).stderr,
    /unknown instruction: RNU \(did you mean RUN\?\)/,
  )
  t.strictSame(
    (await it.engine.images()).filter(({ tags }) => tags.length > 0),
    [],
    'nothing was built',
  )
})

t.test('annotations, and attestations that are not made', async (t) => {
  const it = await testEngine(t)
  await it.engine.tag(it.image, 'base')
  const jubako = cli(it)
  const build = (...flags: string[]) => jubako.run(['build', ...flags, '-'], { input: 'FROM base\nRUN true\n' })
  t.equal((await build('-t', 'plain', '--provenance=false', '--sbom', 'false')).code, 0)
  const flags = ['--annotation', 'a=b=c', '--annotation', 'manifest:org.example.x=y']
  t.equal((await build('-t', 'annotated', ...flags)).code, 0)
  const manifest = async (name: string) => {
    const { stdout } = await jubako.run(['save', name])
    const start = stdout.indexOf('{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest')
    return JSON.parse(stdout.slice(start, stdout.indexOf('\u0000', start))) as { annotations?: object }
  }
  t.match(await manifest('annotated'), { annotations: { a: 'b=c', 'org.example.x': 'y' } })
  t.notMatch(await manifest('plain'), { annotations: {} })
  const ids = await Promise.all(['plain', 'annotated'].map((name) => jubako.run(['inspect', '-f', '{{.Id}}', name])))
  t.equal(ids[0]!.stdout, ids[1]!.stdout)
  t.match((await build('--provenance=mode=max')).stderr, /attestations are not made/)
  t.match((await build('--sbom=true')).stderr, /attestations are not made/)
  t.match((await build('--annotation', 'index:a=b')).stderr, /one manifest is made, and no index/)
  t.match((await build('--squash')).stderr, /--squash is not supported|BuildKit has it no more/)
})
