// lanes: host
// The command line over a container's life, with docker's words and exit codes.
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { testEngine } from '../helpers/engine.js'
import { until } from '../helpers/until.js'

t.test('policies, health, names and limits', async (t) => {
  const it = await testEngine(t)
  const jubako = cli(it)
  const says = async (expected: object, ...argv: string[]) => t.match(await jubako.run(argv), expected, argv.join(' '))
  const health = ['--health-cmd', 'true', '--health-interval', '100ms']
  await says({ code: 0 }, 'run', '-d', '--name', 'one', '--restart', 'always', ...health, it.image, 'sleep', '1000')
  await until(async () => /\(healthy\)/.test((await jubako.run(['ps'])).stdout))
  await says({ stdout: /^one\n$/ }, 'ps', '-f', 'health=healthy', '--format', '{{.Names}}')
  await says({ stdout: 'always 0\n' }, 'inspect', '-f', '{{.HostConfig.RestartPolicy.Name}} {{.RestartCount}}', 'one')
  await says({ code: 0, stdout: '' }, 'rename', 'one', 'two')
  await says({ code: 1, stderr: /same name as its current name/ }, 'rename', 'two', 'two')
  await says({ code: 1, stderr: /No such container: one/ }, 'rename', 'one', 'three')
  await says({ code: 0, stdout: 'two\n' }, 'update', '--restart', 'no', '--pids-limit', '9', 'two')
  await says(
    { stdout: 'no 9\n' },
    'inspect',
    '-f',
    '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.PidsLimit}}',
    'two',
  )
  await says({ code: 1, stderr: /you must provide one or more flags/ }, 'update', 'two')
  await says({ code: 1, stderr: /No such container/ }, 'update', '-m', '10m', 'nosuch')
  await says({ code: 0 }, 'pause', 'two')
  await says({ code: 1, stderr: /cannot attach to a paused container/ }, 'attach', 'two')
  await says({ code: 1, stderr: /is paused, unpause the container before exec/ }, 'exec', 'two', 'true')
  await says({ code: 1, stderr: /cannot start a paused container, try unpause instead/ }, 'start', 'two')
  await says({ code: 1, stderr: /container is paused: unpause and then stop the container/ }, 'rm', 'two')
  await says({ code: 0 }, 'unpause', 'two')
  await says({ code: 0, stdout: 'two\n' }, 'stop', '-t', '0', 'two')
  await says({ code: 0, stdout: 'two\n' }, 'stop', 'two')
  await says({ code: 1, stderr: /cannot attach to a stopped container/ }, 'attach', 'two')
  await says({ code: 1, stderr: /is not running/ }, 'exec', 'two', 'true')
  await says(
    { stdout: 'two 0B / 0B 0\n' },
    'stats',
    '-a',
    '--no-stream',
    '--format',
    '{{.Name}} {{.MemUsage}} {{.PIDs}}',
  )
  await says({ code: 0, stdout: 'two\n' }, 'start', 'two')
  await says({ code: 0, stdout: 'two\n' }, 'start', 'two')
  await says({ code: 0 }, 'rm', '-f', 'two')
  await says({ code: 137 }, 'run', '--rm', '--timeout', '1', it.image, 'sleep', '1000')
  await says(
    { code: 3, stdout: 'x\n' },
    'run',
    '--restart',
    'on-failure:1',
    '--name',
    'twice',
    it.image,
    'sh',
    '-c',
    'echo x; exit 3',
  )
  await until(async () => (await jubako.run(['logs', 'twice'])).stdout === 'x\nx\n')
  await says({ code: 0 }, 'rm', '-f', 'twice')
  for (const [expected, ...argv] of [
    [/cannot specify both --restart and --rm/, '--rm', '--restart', 'always'],
    [/invalid restart policy/, '--restart', 'sometimes'],
    [/maximum retry count must be an integer/, '--restart', 'on-failure:x'],
    [/no policy provided before colon/, '--restart', ':3'],
    [/--no-healthcheck conflicts with --health-\* options/, '--no-healthcheck', '--health-cmd', 'x'],
    [/--health-retries cannot be negative/, '--health-cmd', 'x', '--health-retries=-1'],
  ] as [RegExp, ...string[]][]) {
    await says({ code: 125, stderr: expected }, 'run', ...argv, it.image, 'true')
  }
  await it.checkLeaks()
})

t.test('bad input has docker’s exit codes', async (t) => {
  const it = await testEngine(t)
  const jubako = cli(it)
  const { id } = await it.engine.run(it.image, ['sleep', '1000'], { name: 'here', detached: true })
  const paused = await it.engine.run(it.image, ['sleep', '1000'], { name: 'still', detached: true })
  await paused.pause()
  await it.engine.create(it.image, ['/no/such'], { name: 'never' })
  await it.engine.run(it.image, ['sleep', '1000'], { name: 'term', tty: true, stdin: true, detached: true })
  // There are sixteen digits: soon two begin alike.
  const firsts = new Set<string>([id[0]!])
  let shared = ''
  while (shared === '') {
    const first = (await it.engine.create(it.image, ['true'])).id[0]!
    if (firsts.has(first)) shared = first
    firsts.add(first)
  }
  const ambiguous = /^jubako: multiple IDs found with provided prefix: /
  const words = ['start', 'stop', 'kill', 'rm', 'inspect', 'logs', 'top', 'wait', 'attach', 'port', 'diff', 'pause']
  const noTerminal = /^jubako: the input device is not a TTY\n$/
  const conflict = /^jubako: conflicting options: cannot specify both --restart and --rm\n/
  const cases: [code: number, stderr: RegExp, ...argv: string[]][] = [
    ...words.map((word): [number, RegExp, ...string[]] => [1, ambiguous, word, shared]),
    [1, ambiguous, 'exec', shared, 'true'],
    [1, ambiguous, 'rename', shared, 'other'],
    [1, ambiguous, 'update', '--cpu-shares', '3', shared],
    [1, ambiguous, 'stats', '--no-stream', shared],
    [1, ambiguous, 'cp', `${shared}:/etc/passwd`, '-'],
    [1, ambiguous, 'commit', shared],
    [125, conflict, 'run', '--rm', '--restart', 'always', it.image, 'true'],
    [125, /Run 'jubako create --help'/, 'create', '--rm', '--restart', 'always', it.image, 'true'],
    [1, noTerminal, 'run', '-it', '--rm', it.image, 'true'],
    [1, noTerminal, 'exec', '-it', 'here', 'true'],
    [1, noTerminal, 'attach', 'term'],
    [126, /it needs to be an absolute path/, 'exec', '-w', 'tmp', 'here', 'true'],
    [127, /no such file/, 'exec', 'here', '/no/such'],
    [1, /no such file/, 'exec', '-d', 'here', '/no/such'],
    [1, /no such file/, 'start', 'never'],
    [1, /no such file/, 'start', '-a', 'never'],
    [1, /can't evaluate field Nope/, 'ps', '--format', '{{.Nope}}'],
    [1, /unclosed action/, 'ps', '--format', '{{.ID'],
    [64, /function "nope" not defined/, 'inspect', '-f', '{{nope}}', 'here'],
    [1, /map has no entry for key "Nope"/, 'inspect', '-f', '{{.Nope}}', 'here'],
    [1, /invalid filter/, 'ps', '-f', 'status=bogus'],
    [1, /invalid filter/, 'container', 'prune', '-f', '--filter', 'bogus=1'],
    [125, /bad format of filter/, 'container', 'prune', '-f', '--filter', 'until'],
    [1, /invalid port \(abc\)/, 'port', 'here', 'abc'],
    [0, /^WARNING: Ignoring custom format/, 'ps', '-q', '--format', '{{.Names}}'],
  ]
  for (const [code, stderr, ...argv] of cases) t.match(await jubako.run(argv), { code, stderr }, argv.join(' '))
  t.match(await jubako.run(['kill', '-s', 'TERM', 'still']), { code: 0, stdout: 'still\n' })
  t.equal((await paused.summary()).state, 'running', 'its stop signal wakes it')
  for (const one of await it.engine.containers({ all: true })) {
    await (await it.engine.container(one.id)).remove({ force: true })
  }
  await it.checkLeaks()
})
