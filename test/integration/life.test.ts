// lanes: host vm
// Names, limits and other processes' knowledge of a container, changed while it runs; and what meets what.
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Container, Engine } from '../../src/index.js'
import { tryFlock } from '../../src/native/index.js'
import { file, tar } from '../fixtures/tar.js'
import { collect, testEngine } from '../helpers/engine.js'
import { until } from '../helpers/until.js'

const sleeper = ['sleep', '1000']

t.test('rename, also while it runs and is removed at its end', async (t) => {
  const it = await testEngine(t)
  const { engine, image } = it
  const first = await engine.create(image, ['true'], { name: 'first' })
  await first.rename('second')
  t.equal(first.name, 'second')
  await t.rejects(engine.container('first'), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await t.rejects(first.rename('second'), { message: /same name/ })
  await t.rejects(first.rename('-'), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  const other = await engine.run(image, sleeper, { name: 'first', detached: true, autoRemove: true })
  await t.rejects(other.rename('second'), { code: 'ERR_JUBAKO_CONFLICT', message: /already in use/ })
  await other.rename('third')
  const again = await engine.create(image, ['true'], { name: 'first' })
  // Its supervisor knows it as `first`: that name is another's now.
  await other.kill()
  await other.wait()
  await until(async () => (await engine.containers({ all: true })).length === 2)
  t.equal((await engine.container('first')).id, again.id)
  const third = await engine.create(image, ['true'], { name: 'third' })
  for (const container of [first, again, third]) await container.remove()
  await it.checkLeaks()
})

t.test('limits change while it runs', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sleeper, { detached: true, memory: 64 * 2 ** 20 })
  const limits = async () => {
    const { memory, pids } = await container.stats()
    return { memory: memory.limit, pids: pids.limit }
  }
  t.match(await limits(), { memory: 64 * 2 ** 20, pids: null })
  t.same(await container.update({ memory: 32 * 2 ** 20, pidsLimit: 20 }), [])
  t.match(await limits(), { memory: 32 * 2 ** 20, pids: 20 })
  await t.rejects(container.update({ memory: 2 ** 30 }), { message: /memoryswap limit/ })
  await t.rejects(container.update({ memory: 1000 }), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  await container.update({ memory: 256 * 2 ** 20, memorySwap: 512 * 2 ** 20, cpus: 0.5 })
  t.match(await limits(), { memory: 256 * 2 ** 20 })
  await container.restart({ timeout: 0 })
  t.match(await limits(), { memory: 256 * 2 ** 20, pids: 20 }, 'they hold for the next start')
  t.match(await container.inspect(), { HostConfig: { Memory: 256 * 2 ** 20, PidsLimit: 20, NanoCpus: 5e8 } })
  await container.update({ restart: { policy: 'always' } })
  const { pid } = await container.summary()
  process.kill(pid, 'SIGKILL')
  await until(async () => (await container.summary()).restartCount === 1)
  await until(async () => (await container.summary()).state === 'running')
  await container.update({ restart: { policy: 'no' } })
  process.kill((await container.summary()).pid, 'SIGKILL')
  t.match(await container.wait(), { exitCode: 137 })
  await until(async () => (await container.summary()).state === 'exited')
  await container.remove()
  await it.checkLeaks()
})

t.test('processes of exec are known to all until the container ends', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sleeper, { detached: true })
  const other = await Engine.open({ root: it.root, runRoot: it.runRoot })
  const long = await container.exec(sleeper, { detached: true, user: '7', workdir: '/tmp' })
  const short = await container.exec(['sh', '-c', 'exit 4'], { detached: true })
  await until(async () => (await other.inspectExec(short.id).catch(() => ({ running: true }))).running === false)
  t.match(await other.inspectExec(short.id), {
    containerId: container.id,
    command: ['sh', '-c', 'exit 4'],
    running: false,
    exitCode: 4,
    pid: 0,
  })
  t.match(await other.inspectExec(long.id.slice(0, 12)), { running: true, exitCode: null, user: '7', workdir: '/tmp' })
  t.match(await container.inspect(), { ExecIDs: [long.id] })
  const ids = (await (await other.container(container.id)).execs()).map(({ id }) => id)
  t.same(ids.sort(), [long.id, short.id].sort())
  await t.rejects(other.inspectExec('0'.repeat(64)), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await container.stop({ timeout: 0 })
  await t.rejects(other.inspectExec(long.id), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await other.close()
  await container.remove()
  await it.checkLeaks()
})

t.test('many at once: starts, removes, stops during a start, execs during an end', async (t) => {
  const it = await testEngine(t)
  const engines = await Promise.all([1, 2, 3].map(() => Engine.open({ root: it.root, runRoot: it.runRoot })))
  const handles = (id: string) => Promise.all(engines.map((engine) => engine.container(id)))
  const each = <R>(list: Container[], act: (container: Container) => Promise<R>) => Promise.allSettled(list.map(act))
  for (let round = 0; round < 5; round++) {
    const { id } = await it.engine.create(it.image, sleeper, { name: 'raced' })
    const started = await each(await handles(id), (container) => container.start())
    t.same(
      started.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled'],
      'one starts it, the others find it running',
    )
    const removed = await each(await handles(id), (container) => container.remove({ force: true }))
    t.ok(
      removed.every(({ status }) => status === 'fulfilled'),
      'all are content that it is gone',
    )
    t.same(await it.engine.containers({ all: true }), [])
  }
  for (let round = 0; round < 5; round++) {
    const container = await it.engine.create(it.image, sleeper)
    const starting = container.start()
    await sleep(round)
    await engines[0]!.container(container.id).then((it) => it.stop({ timeout: 0 }))
    await starting.catch(() => {})
    await container.remove({ force: true })
  }
  for (let round = 0; round < 5; round++) {
    const container = await it.engine.run(it.image, sleeper, { detached: true })
    const execs = Array.from({ length: 6 }, async () => {
      const process = await container.exec(['sh', '-c', 'echo x; sleep 1000'])
      return [await collect(process.stdout), (await process.wait()).exitCode] as const
    })
    const settled = Promise.allSettled(execs)
    await sleep(round * 2)
    await container.remove({ force: true })
    for (const result of await settled) {
      if (result.status === 'fulfilled') t.match(result.value[1], 137)
      else t.match(result.reason, { code: /^ERR_JUBAKO_(STATE|SYSTEM|NOT_FOUND)$/ })
    }
  }
  const container = await it.engine.run(it.image, sleeper, { detached: true })
  const both = await Promise.allSettled([container.remove(), container.remove({ force: true })])
  t.equal(both[1]!.status, 'fulfilled')
  for (const engine of engines) await engine.close()
  t.same(await it.engine.containers({ all: true }), [])
  await it.checkLeaks()
})

t.test('two that want a name at once', async (t) => {
  const it = await testEngine(t)
  const engines = await Promise.all([1, 2, 3, 4].map(() => Engine.open({ root: it.root, runRoot: it.runRoot })))
  for (let round = 0; round < 10; round++) {
    const made = await Promise.allSettled(engines.map((engine) => engine.create(it.image, ['true'], { name: 'same' })))
    t.equal(made.filter(({ status }) => status === 'fulfilled').length, 1)
    await (await it.engine.container('same')).remove()
  }
  for (const engine of engines) await engine.close()
  await it.checkLeaks()
})

t.test('who copies and who starts have the files in turn', async (t) => {
  const it = await testEngine(t)
  const show = ['sh', '-c', 'cat /copied; sleep 1000']
  const container = await it.engine.create(it.image, show)
  const input = new PassThrough()
  const bytes = tar(file('copied', 'whole\n'))
  input.write(bytes.subarray(0, 700))
  const copying = container.copyIn('/', input)
  const holds = async () => {
    const fd = openSync(join(it.root, 'containers', container.id), 'r')
    const free = tryFlock(fd, true)
    closeSync(fd)
    return !free
  }
  await until(holds)
  let started = false
  const starting = container.start().then(() => {
    started = true
  })
  // The copy has the files until its archive has ended.
  await sleep(200)
  t.equal(started, false)
  t.match((await container.summary()).state, /^(created|running)$/)
  input.end(bytes.subarray(700))
  await Promise.all([copying, starting])
  await until(async () => {
    for await (const { data } of container.logs()) return data.toString() === 'whole\n'
    return false
  })
  await container.remove({ force: true })

  const again = await it.engine.run(it.image, ['sh', '-c', 'test -e /stop'], {
    detached: true,
    restart: { policy: 'on-failure', maxRetries: 0 },
  })
  // Whether it lives just now or waits for its next life.
  for (let round = 0; round < 20; round++) {
    await again.copyIn('/', Readable.from([tar(file(`file${round}`, 'x'))]))
    await sleep(20)
  }
  await again.copyIn('/', Readable.from([tar(file('stop', ''))]))
  await until(async () => (await again.summary()).state === 'exited')
  for (let round = 0; round < 20; round++) t.match(await again.stat(`/file${round}`), { size: 1 })
  await again.remove()
  await it.checkLeaks()
})

t.test('what cannot start says why, and stays what it was', async (t) => {
  const it = await testEngine(t)
  const state = async (container: Container) => (await container.inspect()).State
  const never = await it.engine.create(it.image, ['/no/such'], { name: 'never' })
  await t.rejects(never.start(), { code: 'ERR_JUBAKO_COMMAND_NOT_FOUND' })
  const zero = '0001-01-01T00:00:00Z'
  t.match(await state(never), {
    Status: 'created',
    ExitCode: 127,
    Error: /no\/such/,
    StartedAt: zero,
    FinishedAt: zero,
  })
  const denied = await it.engine.create(it.image, ['/etc'])
  await t.rejects(denied.start(), { code: 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE' })
  t.match(await state(denied), { Status: 'created', ExitCode: 126 })
  const source = mkdtempSync(join(tmpdir(), 'jubako-life-'))
  const once = await it.engine.run(it.image, ['sh', '-c', 'test -e /mnt/again || exit 4; sleep 1000'], {
    detached: true,
    mounts: [{ type: 'bind', source, target: '/mnt' }],
  })
  await once.wait()
  await until(async () => (await once.summary()).state === 'exited')
  const ended = (await state(once)) as Record<string, unknown>
  t.match(ended, { ExitCode: 4, Error: '' })
  rmSync(source, { recursive: true })
  await t.rejects(once.start())
  t.match(await state(once), {
    Status: 'exited',
    ExitCode: 128,
    Error: /mnt|jubako-life/,
    FinishedAt: ended.FinishedAt,
  })
  mkdirSync(source)
  writeFileSync(join(source, 'again'), '')
  await once.start()
  t.match(await state(once), { Status: 'running', ExitCode: 0, Error: '' })
  await once.remove({ force: true })
  rmSync(source, { recursive: true })
  await never.remove()
  await denied.remove()
  await it.checkLeaks()
})

t.test('a removal that is under way, one that failed, one that was broken off', async (t) => {
  const it = await testEngine(t)
  const trash = join(it.root, 'trash')
  const container = await it.engine.create(it.image, ['true'], { name: 'stuck' })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'trash', trash])
  let mounted = true
  const unmount = () => {
    if (mounted) execFileSync('umount', ['-l', trash])
    mounted = false
  }
  t.teardown(unmount)
  await t.rejects(container.remove(), { message: /stuck: cannot be removed: / })
  t.match((await container.inspect()).State, {
    Status: 'dead',
    Dead: true,
    Running: false,
    Error: /EROFS|EXDEV|rename/,
  })
  await t.rejects(container.start(), { code: 'ERR_JUBAKO_STATE', message: /marked for removal/ })
  // No other command fails for it.
  const other = await Engine.open({ root: it.root, runRoot: it.runRoot })
  t.match(await other.containers({ all: true }), [{ name: 'stuck', state: 'dead' }])
  unmount()
  await other.close()
  await container.remove()

  const left = await it.engine.create(it.image, ['true'], { name: 'left' })
  const record = join(it.root, 'containers', left.id, 'config.json')
  const { status, pid } = spawnSync('true')
  t.equal(status, 0)
  const config = JSON.parse(readFileSync(record, 'utf8')) as object
  writeFileSync(record, JSON.stringify({ ...config, removal: { pid, startTime: '1' } }))
  t.match(await left.summary(), { state: 'removing' })
  await (await Engine.open({ root: it.root, runRoot: it.runRoot })).close()
  t.same(await it.engine.containers({ all: true }), [])
  await it.checkLeaks()
})

t.test('events say the name that a container has', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sleeper, { name: 'before', detached: true, autoRemove: true })
  // Not the start: it may be of this millisecond.
  await sleep(2)
  const since = BigInt(Date.now()) * 1_000_000n
  await container.rename('after')
  await container.kill()
  await container.wait()
  // Its supervisor tells of the removal when it is done.
  await until(async () => !existsSync(join(it.runRoot, container.id)))
  const seen: unknown[] = []
  const until_ = BigInt(Date.now() + 1) * 1_000_000n
  for await (const { action, actor } of it.engine.events({ since, until: until_ })) {
    seen.push([action, actor.attributes.name])
  }
  t.match(seen, [
    ['rename', 'after'],
    ['kill', 'after'],
    ['die', 'after'],
    ['destroy', 'after'],
  ])
  await it.checkLeaks()
})
