// lanes: host
// Restart policies: a container's own supervisor starts it again, with no other process of ours alive.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Container, Engine } from '../../src/index.js'
import { type TestEngine, testEngine } from '../helpers/engine.js'
import { until } from '../helpers/until.js'

const sh = (script: string) => ['sh', '-c', script]

async function logOf(container: Container): Promise<string> {
  let text = ''
  for await (const { data } of container.logs()) text += data.toString()
  return text
}

const inspectState = async (container: Container) => {
  const { State, RestartCount } = (await container.inspect()) as {
    State: Record<string, unknown>
    RestartCount: number
  }
  return { ...State, RestartCount } as Record<string, unknown> & { RestartCount: number }
}

const supervisorOf = (pid: number): number =>
  Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])

/** A look at the data root by an engine of its own, as another process would have. */
async function sweepBy(it: TestEngine): Promise<void> {
  await (await Engine.open({ root: it.root, runRoot: it.runRoot })).close()
}

t.test('on-failure ends after its count, success ends it at once', async (t) => {
  const it = await testEngine(t)
  const failing = await it.engine.run(it.image, sh('echo life; exit 3'), {
    detached: true,
    restart: { policy: 'on-failure', maxRetries: 2 },
  })
  await until(async () => (await failing.summary()).state === 'exited')
  t.equal(await logOf(failing), 'life\nlife\nlife\n')
  t.match(await inspectState(failing), { Status: 'exited', ExitCode: 3, RestartCount: 2, Restarting: false })
  t.match(await failing.wait(), { exitCode: 3 })
  // The file system stays: the third life sees what the others wrote.
  const counting = await it.engine.run(it.image, sh('echo >> /lives; test $(wc -l < /lives) = 2'), {
    detached: true,
    restart: { policy: 'on-failure' },
  })
  await until(async () => (await counting.summary()).state === 'exited')
  t.match(await inspectState(counting), { ExitCode: 0, RestartCount: 1 })
  for (const container of [failing, counting]) await container.remove()
  await it.checkLeaks()
})

t.test('the time between two lives doubles; stop ends the wait, and the policy', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sh('cut -d" " -f1 /proc/uptime >> /times; exit 1'), {
    detached: true,
    name: 'again',
    restart: { policy: 'always' },
  })
  await until(async () => (await inspectState(container)).RestartCount >= 4)
  await until(async () => (await container.summary()).state === 'restarting')
  t.match(await inspectState(container), { Running: true, Restarting: true, Pid: 0, ExitCode: 1 })
  await t.rejects(container.exec(['true']), { code: 'ERR_JUBAKO_STATE', message: /is restarting/ })
  await t.rejects(container.remove(), { code: 'ERR_JUBAKO_CONFLICT' })
  await container.start()
  await container.stop()
  t.match(await container.summary(), { state: 'exited', exitCode: 1 })
  const { RestartCount } = await inspectState(container)
  await sweepBy(it)
  t.match(await inspectState(container), { Status: 'exited', RestartCount })
  const times = readFileSync(join(it.root, 'containers', container.id, 'upper/times'), 'utf8')
    .trim()
    .split('\n')
    .map(Number)
  const waits = times.slice(1).map((time, i) => time - times[i]!)
  t.ok(waits[0]! >= 0.09 && waits[1]! >= 0.19 && waits[2]! >= 0.39, waits.join(' '))
  await container.remove()
  await it.checkLeaks()
})

t.test('a life that somebody ends is the last one', async (t) => {
  const it = await testEngine(t)
  const options = { detached: true, restart: { policy: 'always' } } as const
  for (const end of [
    (it: Container) => it.stop({ timeout: 0 }),
    (it: Container) => it.kill('SIGKILL'),
    (it: Container) => it.kill('SIGTERM'),
  ]) {
    const container = await it.engine.run(it.image, sh('trap "exit 9" TERM; sleep 1000 & wait'), options)
    await until(async () => existsSync(`/proc/${(await container.summary()).pid}/root/bin/sh`))
    await end(container)
    await container.wait()
    await until(async () => (await container.summary()).state === 'exited')
    await sweepBy(it)
    t.equal((await container.summary()).state, 'exited')
    await container.remove()
  }
  const forced = await it.engine.run(it.image, ['false'], options)
  await forced.remove({ force: true })
  t.same(await it.engine.containers({ all: true }), [])
  await it.checkLeaks()
})

t.test('whoever is attached sees one life; a limit of time ends each', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sh('echo life; sleep 1000'), {
    detached: true,
    attach: {},
    timeout: 1,
    restart: { policy: 'on-failure', maxRetries: 1 },
  })
  let seen = ''
  for await (const chunk of container.stdout!) seen += String(chunk)
  t.equal(seen, 'life\n')
  t.match(await container.wait(), { exitCode: 137 })
  await until(async () => (await container.summary()).state === 'exited')
  t.match(await inspectState(container), { ExitCode: 137, RestartCount: 1 })
  t.equal(await logOf(container), 'life\nlife\n')
  await container.remove()
  await it.checkLeaks()
})

t.test('a supervisor that is killed: the next engine starts what its policy wants', async (t) => {
  const it = await testEngine(t)
  const start = (policy: 'always' | 'unless-stopped' | 'no') =>
    it.engine.run(it.image, ['sleep', '1000'], { detached: true, name: `of-${policy}`, restart: { policy } })
  const all = [await start('always'), await start('unless-stopped'), await start('no')]
  const kill = async (container: Container) => {
    const { pid } = await container.summary()
    process.kill(supervisorOf(pid), 'SIGKILL')
    await until(async () => (await container.summary()).state === 'exited')
  }
  for (const container of all) await kill(container)
  await sweepBy(it)
  t.same(await Promise.all(all.map(async (it) => (await it.summary()).state)), ['running', 'running', 'exited'])
  // Stopped by hand, they stay so until the machine is started; then only `always` holds.
  for (const container of all) await container.stop({ timeout: 0 })
  await sweepBy(it)
  t.same(await Promise.all(all.map(async (it) => (await it.summary()).state)), ['exited', 'exited', 'exited'])
  writeFileSync(join(it.root, 'boot'), 'another boot')
  await sweepBy(it)
  t.same(await Promise.all(all.map(async (it) => (await it.summary()).state)), ['running', 'exited', 'exited'])
  for (const container of all) await container.remove({ force: true })
  await it.checkLeaks()
})

t.test('a restart that fails is told by inspect', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sh('rm /bin/sh; exit 1'), {
    detached: true,
    restart: { policy: 'always' },
  })
  await until(async () => (await container.summary()).state === 'exited')
  t.match(await inspectState(container), { ExitCode: 127, Error: /^execute: execve/ })
  await container.remove()
  await it.checkLeaks()
})

t.test('policies that cannot be', async (t) => {
  const it = await testEngine(t)
  const create = (options: object) => it.engine.create(it.image, ['true'], options)
  const invalid = { code: 'ERR_JUBAKO_INVALID_ARGUMENT' }
  await t.rejects(create({ restart: { policy: 'sometimes' } }), invalid)
  await t.rejects(create({ restart: { policy: 'always', maxRetries: 2 } }), invalid)
  await t.rejects(create({ restart: { policy: 'on-failure', maxRetries: -1 } }), invalid)
  await t.rejects(create({ restart: { policy: 'always' }, autoRemove: true }), invalid)
  await t.rejects(it.engine.run(it.image, ['true'], { restart: { policy: 'always' } }), invalid)
  await it.checkLeaks()
})
