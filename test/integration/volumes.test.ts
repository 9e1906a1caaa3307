import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { chown, lstat, readlink, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { runToEnd, testEngine } from '../helpers/engine.js'

const sh = (script: string): string[] => ['sh', '-c', script]

t.test('named volumes keep what containers write, and nobody removes one that is used', async (t) => {
  const it = await testEngine(t)
  const { engine } = it
  const volume = await engine.volumes.create({ name: 'data', labels: { a: '1' } })
  const mounts = [{ type: 'volume', source: 'data', target: '/data' } as const]
  t.match(await runToEnd(it, sh('echo kept > /data/f; chown 5:6 /data/f'), { mounts }), { exitCode: 0 })
  t.equal((await runToEnd(it, sh('cat /data/f; stat -c %u:%g /data/f'), { mounts })).stdout, 'kept\n5:6\n')
  const readonly = [{ ...mounts[0]!, readonly: true }]
  t.match(await runToEnd(it, sh('echo x > /data/f'), { mounts: readonly }), { exitCode: 1, stderr: /Read-only/ })

  const holder = await engine.create(it.image, ['true'], { mounts })
  t.strictSame((await volume.summary()).containers, [holder.id])
  await t.rejects(engine.volumes.remove('data'), {
    code: 'ERR_JUBAKO_CONFLICT',
    message: `remove data: volume is in use - [${holder.id}]`,
  })
  t.strictSame((await engine.volumes.prune({ all: true })).removed, [])
  await holder.remove({ volumes: true })
  t.equal((await engine.volumes.list()).length, 1, 'a named volume stays')
  t.match(await volume.inspect(), { Name: 'data', Driver: 'local', Labels: { a: '1' }, Options: null, Scope: 'local' })
  await engine.volumes.remove('data')
  await t.rejects(engine.volumes.get('data'), { code: 'ERR_JUBAKO_NOT_FOUND', message: 'get data: no such volume' })
  await engine.volumes.remove('data', { force: true })
  {
    await using own = await engine.volumes.create()
    t.match(own.name, /^[0-9a-f]{64}$/)
  }
  t.strictSame(await engine.volumes.list(), [])
  await it.checkLeaks()
})

t.test('anonymous volumes go with their last container', async (t) => {
  const it = await testEngine(t)
  const { engine } = it
  const mounts = [{ type: 'volume', target: '/anon' } as const]
  t.match(await runToEnd(it, sh('echo 1 > /anon/f'), { mounts }), { exitCode: 0 })
  t.strictSame(await engine.volumes.list(), [], 'owned')
  const detached = await engine.run(it.image, ['true'], { mounts, detached: true, autoRemove: true })
  await detached.wait()
  for (let i = 0; i < 500 && (await engine.volumes.list()).length > 0; i++) await new Promise((r) => setTimeout(r, 20))
  t.strictSame(await engine.volumes.list(), [], 'removed by the supervisor')

  const first = await engine.create(it.image, ['true'], { mounts })
  const second = await engine.create(it.image, sh('ls -d /anon'), { volumesFrom: [`${first.id}:ro`] })
  const [volume] = await engine.volumes.list()
  t.strictSame(new Set(volume?.containers), new Set([first.id, second.id]))
  await first.remove({ volumes: true })
  t.equal((await engine.volumes.list()).length, 1, 'another container has it')
  const shown = (await second.inspect()) as { Mounts: unknown[]; HostConfig: { VolumesFrom: string[] } }
  t.match(shown.Mounts, [{ Type: 'volume', Destination: '/anon', RW: false }])
  t.strictSame(shown.HostConfig.VolumesFrom, [`${first.id}:ro`])
  await second.remove({ volumes: true })
  t.strictSame(await engine.volumes.list(), [])

  const third = await engine.create(it.image, ['true'], { mounts })
  await third.remove()
  t.equal((await engine.volumes.list({ dangling: true })).length, 1, 'without -v it stays')
  t.equal((await engine.volumes.prune()).removed.length, 1)
  await it.checkLeaks()
})

t.test('first use copies what the image has at the mount point', async (t) => {
  const it = await testEngine(t)
  const { engine } = it
  const volume = await engine.volumes.create({ name: 'etc' })
  const mounts = [{ type: 'volume', source: 'etc', target: '/etc' } as const]
  const image = await runToEnd(it, sh('cd /etc; find . | sort'), {})
  const shown = await runToEnd(it, sh('cd /etc; find . | sort'), { mounts })
  t.equal(shown.stdout, image.stdout)
  t.ok(readdirSync(volume.mountpoint).includes('passwd'))
  t.notOk(existsSync(join(volume.mountpoint, '../populating')))
  await engine.volumes.create({ name: 'more' })
  // bin has links, modes and one large file.
  const bin = [{ type: 'volume', source: 'more', target: '/bin' } as const]
  t.match(await runToEnd(it, ['/bin/busybox', 'true'], { mounts: bin }), { exitCode: 0 })
  const inside = (await engine.volumes.get('more')).mountpoint
  for (const name of readdirSync(inside).slice(0, 20)) {
    const info = await lstat(join(inside, name))
    t.ok(info.isSymbolicLink() ? (await readlink(join(inside, name))) !== '' : info.size >= 0)
  }
  await engine.volumes.create({ name: 'bare' })
  const bare = [{ type: 'volume', source: 'bare', target: '/etc', nocopy: true } as const]
  t.equal((await runToEnd(it, sh('ls -A /etc'), { mounts: bare })).stdout.includes('passwd'), false)

  // A copy that was interrupted is made again.
  const half = await engine.volumes.create({ name: 'half' })
  writeFileSync(join(half.mountpoint, '../populating'), '')
  writeFileSync(join(half.mountpoint, 'passwd'), 'half')
  const halved = [{ type: 'volume', source: 'half', target: '/etc' } as const]
  t.match((await runToEnd(it, sh('cat /etc/passwd'), { mounts: halved })).stdout, /^root:/)
  t.notOk(existsSync(join(half.mountpoint, '../populating')))
  await engine.volumes.prune({ all: true })
  await it.checkLeaks()
})

t.test('subpaths, images, owners, and file systems of the kernel', async (t) => {
  const it = await testEngine(t)
  const { engine } = it
  const volume = await engine.volumes.create({ name: 'sub' })
  mkdirSync(join(volume.mountpoint, 'a/b'), { recursive: true })
  writeFileSync(join(volume.mountpoint, 'a/b/f'), 'deep')
  const sub = (subpath: string) => [{ type: 'volume', source: 'sub', target: '/s', subpath } as const]
  t.equal((await runToEnd(it, sh('cat /s/f'), { mounts: sub('a/b') })).stdout, 'deep')
  t.equal((await runToEnd(it, sh('cat /s'), { mounts: sub('a/b/f') })).stdout, 'deep')
  await t.rejects(engine.run(it.image, ['true'], { mounts: sub('none') }), { message: /ENOENT/ })
  await t.rejects(engine.run(it.image, ['true'], { mounts: sub('../x') }), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })

  const image = [{ type: 'image', source: it.image, target: '/img', readonly: true } as const]
  t.match((await runToEnd(it, sh('cat /img/etc/passwd; echo >/img/x'), { mounts: image })).stdout, /^root:/)
  const etc = [{ type: 'image', source: it.image, target: '/img', subpath: 'etc' } as const]
  t.match(
    (await runToEnd(it, sh('echo new > /img/x && cat /img/passwd /img/x'), { mounts: etc })).stdout,
    /root:[\s\S]*new/,
  )
  const user = await engine.create(it.image, ['true'], { mounts: etc })
  await t.rejects(engine.removeImage(it.image), { code: 'ERR_JUBAKO_CONFLICT' })
  await user.remove()

  await volume.remove()
  const host = mkdtempSync(join(tmpdir(), 'jubako-bind-'))
  t.teardown(() => rmSync(host, { recursive: true, force: true }))
  writeFileSync(join(host, 'f'), '')
  for (const path of [host, join(host, 'f')]) await chown(path, 1000, 1000)
  const ids = [{ id: 1000, as: 0, count: 1 }]
  const mapped = [{ type: 'bind', source: host, target: '/m', idmap: { uids: ids, gids: ids } } as const]
  t.equal((await runToEnd(it, sh('stat -c %u:%g /m/f; touch /m/new'), { mounts: mapped })).stdout, '0:0\n')
  t.equal((await stat(join(host, 'new'))).uid, 1000, 'what root makes inside belongs to the user outside')

  const tmpfs = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,mode=700,noexec' }
  await engine.volumes.create({ name: 'ram', options: tmpfs })
  const ram = [{ type: 'volume', source: 'ram', target: '/ram', nocopy: true } as const]
  const { stdout } = await runToEnd(it, sh('grep " /ram " /proc/mounts'), { mounts: ram })
  t.match(stdout, /^tmpfs \/ram tmpfs rw,noexec,relatime,size=1024k,mode=700/)
  await engine.volumes.create({ name: 'bound', options: { type: 'none', device: host, o: 'bind' } })
  const bound = [{ type: 'volume', source: 'bound', target: '/b' } as const]
  t.equal((await runToEnd(it, sh('ls /b'), { mounts: bound })).stdout, 'f\nnew\n')
  await t.rejects(engine.volumes.create({ name: 'bad', options: { foo: '1' } }), {
    message: 'create bad: invalid option: "foo"',
  })
  await engine.volumes.prune({ all: true })
  t.equal(readFileSync(join(host, 'f'), 'utf8'), '', 'a bound directory outlives its volume')
  await it.checkLeaks()
})

t.test('recursive read-only, directories where files are, files where directories are', async (t) => {
  const it = await testEngine(t)
  const host = mkdtempSync(join(tmpdir(), 'jubako-bind-'))
  t.teardown(() => rmSync(host, { recursive: true, force: true }))
  writeFileSync(join(host, 'f'), '')
  const onto = (source: string, target: string) => [{ type: 'bind', source, target } as const]
  await t.rejects(it.engine.run(it.image, ['true'], { mounts: onto(host, '/etc/passwd') }), { message: /ENOTDIR/ })
  await t.rejects(it.engine.run(it.image, ['true'], { mounts: onto(join(host, 'f'), '/etc') }), { message: /ENOTDIR/ })
  await t.rejects(it.engine.run(it.image, ['true'], { mounts: onto(join(host, 'missing'), '/x') }), {
    message: `invalid mount config for type "bind": bind source path does not exist: ${join(host, 'missing')}`,
  })
  // /dev has file systems of its own below it.
  const dev = (extra: object) => [{ type: 'bind', source: '/dev', target: '/d', readonly: true, ...extra } as const]
  const write = sh('touch /d/shm/jubako-probe && rm /d/shm/jubako-probe')
  t.match(await runToEnd(it, write, { mounts: dev({}) }), { exitCode: 1, stderr: /Read-only/ })
  t.match(await runToEnd(it, write, { mounts: dev({ recursiveReadonly: false }) }), { exitCode: 0 })
  await it.checkLeaks()
})

t.test('volume commands say what docker says', async (t) => {
  const it = await testEngine(t)
  const jubako = cli(it)
  const run = async (...argv: string[]) => {
    const { code, stdout, stderr } = await jubako.run(argv)
    return [code, stdout, stderr.split('\n')[0]]
  }
  t.strictSame(await run('volume', 'create', '--label', 'a=b', 'v1'), [0, 'v1\n', ''])
  t.strictSame(await run('volume', 'create', 'v1'), [0, 'v1\n', ''])
  t.strictSame(await run('volume', 'ls'), [0, 'DRIVER    VOLUME NAME\nlocal     v1\n', ''])
  t.strictSame(await run('volume', 'ls', '-q', '-f', 'label=a=b', '-f', 'dangling=true'), [0, 'v1\n', ''])
  t.strictSame(await run('volume', 'ls', '-f', 'foo=1'), [1, '', "jubako: Invalid filter 'foo'"])
  t.strictSame(await run('volume', 'inspect', '-f', '{{.Name}} {{.Labels.a}}', 'v1'), [0, 'v1 b\n', ''])
  t.strictSame(await run('volume', 'inspect', 'no'), [1, '[]\n', 'jubako: get no: no such volume'])
  t.strictSame(await run('volume', 'create', '-o', 'type=tmpfs', 'x1'), [
    1,
    '',
    'jubako: create x1: missing required option: "device"',
  ])
  t.match(await run('volume', 'create', '-d', 'other', 'x1'), [1, '', /plugin "other" not found/])
  t.match(await run('create', '-v', 'v!:/x', it.image, 'true'), [1, '', /includes invalid characters for a local/])
  t.match(await run('create', '-v', 'v1:/x', '--mount', 'dst=/x', it.image, 'true'), [
    1,
    '',
    /Duplicate mount point: \/x/,
  ])
  const [, id] = await run(
    'create',
    '--name',
    'cc',
    '-v',
    'v1:/x:ro,nocopy',
    '-v',
    '/anon',
    '--tmpfs',
    '/t:size=1m',
    it.image,
    'true',
  )
  t.match(await run('volume', 'rm', 'v1'), [1, '', `jubako: remove v1: volume is in use - [${String(id).trim()}]`])
  const [, json] = await run('inspect', 'cc')
  const [{ Mounts, HostConfig }] = JSON.parse(String(json)) as [
    { Mounts: object[]; HostConfig: Record<string, unknown> },
  ]
  t.match(Mounts[0], { Type: 'volume', Name: 'v1', Destination: '/x', Driver: 'local', Mode: 'ro,nocopy', RW: false })
  t.match(Mounts[1], { Type: 'volume', Name: /^[0-9a-f]{64}$/, Destination: '/anon', Mode: '', RW: true })
  t.strictSame(HostConfig.Binds, ['v1:/x:ro,nocopy'])
  t.strictSame(HostConfig.Tmpfs, { '/t': 'size=1m' })
  for (const filter of ['volume=v1', 'volume=/x']) {
    t.strictSame(await run('ps', '-a', '-f', filter, '--format', '{{.Names}} {{.LocalVolumes}}'), [0, 'cc 2\n', ''])
  }
  t.strictSame(await run('rm', '-v', 'cc'), [0, 'cc\n', ''])
  t.strictSame(await run('volume', 'ls', '-q'), [0, 'v1\n', ''])
  t.match(await run('volume', 'prune', '-f'), [0, 'Total reclaimed space: 0B\n', ''])
  t.match(await run('volume', 'prune', '-af'), [0, /^Deleted Volumes:\nv1\n\nTotal reclaimed space: 0B\n$/, ''])
  t.strictSame(await run('volume', 'rm', 'v1', '-f'), [0, 'v1\n', ''])
  t.strictSame(await run('volume', 'rm', 'v1'), [1, '', 'jubako: get v1: no such volume'])
  await it.checkLeaks()
})
