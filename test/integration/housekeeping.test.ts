// lanes: host
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { testEngine } from '../helpers/engine.js'

t.test('top, diff and port', async (t) => {
  const it = await testEngine(t)
  const run = async (...arguments_: string[]) => cli(it).run(arguments_)
  const script =
    'rm -rf /home; mkdir /home; echo a >/home/new; rm /bin/ls; echo b >/etc/passwd; echo up; sleep 1000 & wait'
  const box = await it.engine.run(it.image, ['sh', '-c', script], { name: 'box', detached: true })
  for await (const _ of box.logs({ follow: true })) break
  const { pid } = await box.summary()
  const top = (await run('top', 'box')).stdout.split('\n')
  t.match(top[0], /^UID {17}PID {17}PPID {16}C {19}STIME {15}TTY {17}TIME {16}CMD$/)
  t.match(
    top.find((line) => line.includes(` ${pid} `)),
    /^root .* \? .* 00:00:00 .*sh -c rm -rf/,
  )
  const own = (await run('top', 'box', '-o', 'pid,comm')).stdout.split('\n')
  t.match(own[0], /^PID +COMMAND$/)
  t.ok(own.some((line) => line.startsWith(`${pid} `)))
  t.match(await run('top', 'box', '-o', 'comm'), { code: 1, stderr: /Couldn't find PID field in ps output/ })
  const diff = (await run('diff', 'box')).stdout
  t.match(diff, /^C \/bin\nD \/bin\/ls\n/)
  t.match(diff, /^[AC] \/etc\/passwd\n[AC] \/home\n(D .*\n)*A \/home\/new\n/m)
  // Mount points are the engine's doing.
  t.notMatch(diff, /\/(dev|proc|sys)$|\/etc\/(hosts|hostname|resolv.conf)$/m)
  t.match(await run('port', 'box'), { code: 0, stdout: '' })
  t.match(await run('port', 'box', '80'), { code: 1, stderr: /No public port '80' published for box/ })
  await box.kill()
  await box.wait()
  t.match(await run('top', 'box'), { code: 1, stderr: new RegExp(`container ${box.id} is not running`) })
  t.match((await run('diff', 'box')).stdout, /^D \/bin\/ls$/m)
  await box.remove()
  await it.checkLeaks()
})

t.test('system df, container prune, system prune', async (t) => {
  const it = await testEngine(t)
  const run = async (...arguments_: string[]) => cli(it).run(arguments_)
  await it.engine.tag(it.image, 'kept:1')
  const up = await it.engine.run(it.image, ['sleep', '1000'], {
    name: 'up',
    detached: true,
    mounts: [{ type: 'volume', source: 'used', target: '/data' }],
  })
  await run('volume', 'create', 'named')
  const anonymous = await it.engine.volumes.create({ labels: { color: 'red' } })
  await anonymous.files.write('/twice', Buffer.alloc(1000))
  const write = ['sh', '-c', 'head -c 100000 /dev/zero >/f']
  for (const [name, labels] of [
    ['plain', {}],
    ['marked', { keep: 'yes' }],
  ] as const) {
    const container = await it.engine.run(it.image, write, { name, labels, detached: true })
    await container.wait()
  }
  const rows = (await run('system', 'df', '--format', '{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Reclaimable}}')).stdout
  t.match(rows, /^Images\|1\|1\|0B \(0%\)$/m)
  t.match(rows, /^Containers\|3\|1\|200kB \(\d+%\)$/m)
  t.match(rows, /^Local Volumes\|3\|1\|1kB \(100%\)$/m)
  const verbose = (await run('system', 'df', '-v')).stdout
  t.match(verbose, /^kept +1 +[0-9a-f]{12} .* 3$/m)
  t.match(verbose, /^[0-9a-f]{12} .* 100kB +.*marked$/m)
  t.match(verbose, /^VOLUME NAME +LINKS +SIZE\n(.*\n)*used +1 +0B$/m)
  const document = JSON.parse((await run('system', 'df', '-v', '--format', 'json')).stdout)
  t.match(document, { Volumes: [{}, {}, {}], Containers: [{ Size: /B$/ }, {}, {}], Images: [{ Containers: '3' }] })
  t.equal((await run('system', 'df', '-v', '--format', '{{range .Volumes}}{{.Links}}{{end}}')).stdout.length, 3)
  const { containers, layersSize } = await it.engine.usage()
  t.equal(containers.find(({ name }) => name === 'plain')?.size, 100_000)
  t.ok(layersSize > 100_000)
  t.match(await run('container', 'prune', '-f', '--filter', 'foo=bar'), { code: 1, stderr: /invalid filter 'foo'/ })
  t.equal((await run('container', 'prune', '-f', '--filter', 'until=1h')).stdout, 'Total reclaimed space: 0B\n')
  const pruned = (await run('container', 'prune', '-f', '--filter', 'label!=keep')).stdout
  t.match(pruned, /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 100kB\n$/)
  const asked = await cli(it).run(['system', 'prune'], { input: 'n\n' })
  t.match(asked.stderr, /WARNING! This will remove:\n {2}- all stopped containers\n.*\[y\/N\] $/s)
  t.equal((await it.engine.containers({ all: true })).length, 2)
  t.match(await run('system', 'prune', '--volumes', '--filter', 'until=1h'), { code: 1, stderr: /not supported with/ })
  t.match(await run('volume', 'prune', '-f', '--filter', 'until=1h'), { code: 1, stderr: /invalid filter 'until'/ })
  t.match(await run('volume', 'prune', '-af', '--filter', 'all=1'), { code: 1, stderr: /cannot specify both/ })
  t.match((await run('volume', 'prune', '-f', '--filter', 'label!=color')).stdout, /^Total reclaimed space: 0B\n$/)
  t.match(
    (await run('system', 'prune', '-f', '--volumes', '--filter', 'label=color')).stdout,
    `Deleted Volumes:\n${anonymous.name}\n\nTotal reclaimed space: 1kB\n`,
  )
  t.match((await run('volume', 'prune', '-f', '--filter', 'all=true')).stdout, /^Deleted Volumes:\nnamed\n\n/)
  t.match((await run('system', 'prune', '-f')).stdout, /Deleted Containers:\n.*Total reclaimed space: 100kB\n$/s)
  t.same(
    (await it.engine.containers({ all: true })).map(({ name }) => name),
    ['up'],
  )
  await up.remove({ force: true })
})
