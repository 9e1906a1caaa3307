import { once } from 'node:events'
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { testEngine } from '../helpers/engine.js'

t.test('the life of a container, from the command line', async (t) => {
  const it = await testEngine(t)
  const jubako = cli(it)
  const ok = async (...argv: string[]) => {
    const { code, stdout, stderr } = await jubako.run(argv)
    t.equal(code, 0, `${argv.join(' ')}: ${stderr}`)
    return stdout
  }
  const fails = async (code: number, stderr: RegExp, ...argv: string[]) => {
    const got = await jubako.run(argv)
    t.equal(got.code, code, argv.join(' '))
    t.match(got.stderr, stderr)
    return got.stdout
  }

  const script = 'echo out; echo err >&2; read line; echo "got $line"; exec sleep 1000'
  const id = (
    await ok('run', '-d', '-i', '--name', 'web', '--label', 'x=1', '--network', 'none', it.image, 'sh', '-c', script)
  ).trim()
  t.match(id, /^[0-9a-f]{64}$/)
  await fails(1, /^jubako: .*"?\/?web"? is already in use/, 'create', '--name', 'web', it.image)

  t.equal(
    await ok('ps', '--format', '{{.ID}} {{.Names}} {{.State}} {{.Label "x"}}'),
    `${id.slice(0, 12)} web running 1\n`,
  )
  t.equal(await ok('ps', '-q', '--no-trunc', '--filter', 'label=x=1', '-f', 'name=web'), `${id}\n`)
  t.equal(await ok('ps', '-q', '--filter', 'status=exited'), '')
  t.match(await ok('ps'), /^CONTAINER ID {3}IMAGE .*\n[0-9a-f]{12} .* Up .* web\n$/)
  await fails(1, /^jubako: invalid filter 'bogus'/, 'ps', '-f', 'bogus=1')

  t.equal((await jubako.run(['exec', '-i', 'web', 'cat'], { input: 'in' })).stdout, 'in')
  t.equal(
    await ok('exec', '-eA=1', '-w', '/tmp', '-u', '5', 'web', 'sh', '-c', 'echo $A $(pwd) $(id -u)'),
    '1 /tmp 5\n',
  )
  await fails(5, /^$/, 'exec', 'web', 'sh', '-c', 'exit 5')
  await fails(127, /nosuch/, 'exec', 'web', 'nosuch')
  await fails(1, /^jubako: No such container: gone\n/, 'exec', 'gone', 'true')

  const attached = jubako.start(['attach', '--sig-proxy=false', 'web'])
  attached.stdin.write('hello\n')
  const [seen] = (await once(attached.stdout, 'data')) as [Buffer]
  t.equal(seen.toString(), 'got hello\n')
  attached.kill('SIGKILL')
  const logs = await jubako.run(['logs', 'web'])
  t.strictSame([logs.stdout, logs.stderr], ['out\ngot hello\n', 'err\n'])
  t.equal(await ok('logs', '--tail', '1', 'web'), 'got hello\n')
  t.match(await ok('logs', '-t', '-n1', 'web'), /^\d{4}-\d\d-\d\dT[\d:.]+Z got hello\n$/)

  t.equal(await ok('pause', 'web'), 'web\n')
  t.equal(await ok('ps', '--format', '{{.State}}'), 'paused\n')
  await fails(1, /is already paused/, 'pause', 'web')
  t.equal(await ok('unpause', 'web'), 'web\n')

  const inspected = JSON.parse(await ok('inspect', 'web')) as { Id: string }[]
  t.equal(inspected[0]?.Id, id)
  t.equal(await ok('inspect', '-f', '{{.Name}} {{.State.Status}} {{.HostConfig.Binds}}', 'web'), '/web running []\n')
  await fails(64, /^jubako: template parsing error: template: :1: unclosed action/, 'inspect', '-f', '{{.Name', 'web')
  t.equal(await fails(1, /^jubako: No such object: gone\n/, 'inspect', 'web', 'gone', '-f', '{{.Name}}'), '/web\n')
  t.match(
    await ok('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}} {{.MemUsage}}'),
    /^web 1 [\d.]+\w+ \/ [\d.]+\w+\n$/,
  )

  await fails(1, /stop the container before removing or force remove/, 'rm', 'web')
  const waiting = jubako.run(['wait', 'web'])
  t.equal(await ok('stop', '-t', '0', 'web'), 'web\n')
  t.strictSame(await waiting, { code: 0, stdout: '137\n', stderr: '' })
  t.equal(await ok('wait', id.slice(0, 8)), '137\n')
  await fails(1, /is not running/, 'kill', 'web')
  t.match(await ok('ps', '-a', '--format', '{{.Status}}'), /^Exited \(137\) /)
  t.equal(await ok('ps', '-aq', '--filter', 'exited=137'), `${id.slice(0, 12)}\n`)
  t.equal(await ok('start', 'web'), 'web\n')
  t.equal(await ok('kill', '-s', 'kill', 'web'), 'web\n')
  await fails(1, /^jubako: invalid signal: BOGUS\n/, 'kill', '-s', 'BOGUS', 'web')
  t.equal(await ok('wait', 'web'), '137\n')
  t.strictSame(await jubako.run(['rm', 'web', 'gone']), {
    code: 1,
    stdout: 'web\n',
    stderr: 'jubako: No such container: gone\n',
  })
  t.equal((await jubako.run(['rm', '-f', 'gone'])).code, 0)

  t.equal(await ok('create', '--name', 'once', it.image, 'sh', '-c', 'echo hi; exit 3').then((text) => text.length), 65)
  t.equal(await ok('wait', 'once'), '0\n')
  t.match(await ok('inspect', '-s', '-f', '{{.SizeRw}}', 'once'), /^\d+\n$/)
  t.strictSame(await jubako.run(['start', '-a', 'once']), { code: 3, stdout: 'hi\n', stderr: '' })
  t.match(await ok('container', 'prune', '-f'), /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: /)
  t.equal(await ok('container', 'ls', '-aq'), '')
  await it.checkLeaks()
})

t.test('images, from the command line', async (t) => {
  const it = await testEngine(t)
  const jubako = cli(it)
  const text = async (...argv: string[]) => (await jubako.run(argv)).stdout
  t.equal(await text('tag', it.image, 'one:1'), '')
  t.equal(
    await text('images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}', 'one'),
    `one:1 ${it.image.slice(7, 19)}\n`,
  )
  t.equal(await text('images', '-q', '--no-trunc', '--filter', 'reference=o*:1'), `${it.image}\n`)
  t.equal(await text('image', 'inspect', '-f', '{{.Id}} {{.Os}}', 'one:1'), `${it.image} linux\n`)
  t.match(await text('image', 'inspect', 'nosuch'), /^\[\]\n$/)
  t.match(await jubako.run(['rmi', 'nosuch']), { code: 1, stderr: 'jubako: No such image: nosuch:latest\n' })
  t.match(await text('rmi', 'one:1'), /^Untagged: one:1\nDeleted: sha256:[0-9a-f]{64}\n/)
  t.match(await jubako.run(['load'], { input: 'no archive' }), { code: 1, stderr: /^jubako: / })
  t.match(await jubako.run(['load', '-i', '/nonexistent']), { code: 1, stderr: /\/nonexistent/ })
  const hello = await jubako.run(['run', '--rm', '--network', 'none', 'jubako/hello'])
  t.equal(hello.code, 0)
  t.match(hello.stdout, /^Hello from a jubako container!/)
  t.match(await text('info'), new RegExp(`Docker Root Dir: ${it.root}\n`))
  t.equal(await text('info', '-f', '{{.DockerRootDir}} {{.OSType}}'), `${it.root} linux\n`)
  t.match(await text('version', '-f', '{{.Client.Version}}'), /^\d+\.\d+\.\d+\n$/)
})

t.test('what is no command', async (t) => {
  const jubako = cli({ root: '/nonexistent/root', runRoot: '/nonexistent/run' })
  t.match(await jubako.run(['frobnicate']), { code: 1, stderr: /^jubako: unknown command: jubako frobnicate\n/ })
  t.match(await jubako.run(['swarm', 'init']), { code: 1, stderr: /^jubako: 'jubako swarm' is not supported: / })
  t.match(await jubako.run(['ps', 'x']), { code: 1, stderr: /^jubako: 'jubako ps' accepts no arguments\n/ })
  t.match(await jubako.run(['ps', '--help']), {
    code: 0,
    stdout: /^Usage: {2}jubako ps \[OPTIONS\]\n\nList containers\n/,
  })
  t.match(await jubako.run([]), { code: 0, stdout: /^Usage: {2}jubako \[OPTIONS\] COMMAND\n/ })
  t.match(await jubako.run(['--version']), { code: 0, stdout: /^jubako version \d/ })
  t.match(await jubako.run(['container', '--help']), { code: 0, stdout: /^Usage: {2}jubako container COMMAND\n/ })
})

t.test('many containers at the same time', async (t) => {
  const it = await testEngine(t)
  const jubako = cli(it)
  const names = ['c1', 'c2', 'c3', 'c4']
  // As process 1 without a handler, sleep ignores SIGTERM: each takes the whole time-out.
  const sleeper = ['run', '-d', '--network', 'none', '--stop-timeout', '2']
  for (const name of names) await jubako.run([...sleeper, '--name', name, it.image, 'sleep', '1000'])
  const began = performance.now()
  const stopped = await jubako.run(['stop', 'c1', 'nosuch', ...names.slice(1)])
  t.ok(performance.now() - began < 6000, 'not one after the other')
  t.strictSame(stopped, { code: 1, stdout: 'c1\nc2\nc3\nc4\n', stderr: 'jubako: No such container: nosuch\n' })
  t.equal((await jubako.run(['rm', ...names])).stdout, 'c1\nc2\nc3\nc4\n')
  await it.checkLeaks()
})
