// lanes: host vm
// Health checks, which a container's own supervisor executes.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Container, HealthOptions } from '../../src/index.js'
import { collect, type TestEngine, testEngine } from '../helpers/engine.js'
import { until } from '../helpers/until.js'

interface Health {
  Status: string
  FailingStreak: number
  Log: { Start: string; End: string; ExitCode: number; Output: string }[]
}

const healthOf = async (container: Container): Promise<Health> =>
  ((await container.inspect()) as { State: { Health: Health } }).State.Health

const run = (it: TestEngine, healthcheck: HealthOptions, more: object = {}) =>
  it.engine.run(it.image, ['sleep', '1000'], {
    detached: true,
    healthcheck: { interval: 100, ...healthcheck },
    ...more,
  })

/** Its streams are read to their end: only then are they closed. */
async function execute(container: Container, command: string[], options: object = {}): Promise<string> {
  const process = await container.exec(command, options)
  const [out] = await Promise.all([collect(process.stdout), collect(process.stderr), process.wait()])
  return out
}

t.test('starting, healthy, unhealthy, and well again', async (t) => {
  const it = await testEngine(t)
  const container = await run(
    it,
    {
      test: ['CMD-SHELL', 'echo "say \\"$WORD\\""; id -u >&2; test ! -e /ill || exit 3'],
      retries: 2,
    },
    { env: { WORD: 'x' }, user: '7' },
  )
  t.match(await healthOf(container), { Status: 'starting', FailingStreak: 0 })
  t.match((await container.summary()).health, /starting|healthy/)
  await until(async () => (await container.summary()).health === 'healthy')
  const [first] = (await healthOf(container)).Log
  t.match(first, { ExitCode: 0, Output: 'say "x"\n7\n' })
  t.ok(Date.parse(first!.End) >= Date.parse(first!.Start))
  await execute(container, ['touch', '/ill'], { user: '0' })
  await until(async () => (await container.summary()).health === 'unhealthy')
  t.ok((await healthOf(container)).FailingStreak >= 2)
  await until(async () => (await healthOf(container)).Log.every(({ ExitCode }) => ExitCode === 3))
  t.equal((await healthOf(container)).Log.length, 5)
  await execute(container, ['rm', '/ill'], { user: '0' })
  await until(async () => (await container.summary()).health === 'healthy')
  t.equal((await healthOf(container)).FailingStreak, 0)
  // While it stands still nobody is asked.
  await container.pause()
  const last = async () => (await healthOf(container)).Log.at(-1)
  await sleep(300)
  const before = await last()
  await sleep(500)
  t.same(await last(), before)
  await container.unpause()
  await until(async () => JSON.stringify(await last()) !== JSON.stringify(before))
  t.equal((await container.summary()).health, 'healthy')
  await container.stop({ timeout: 0 })
  t.equal((await container.summary()).health, null)
  t.equal((await healthOf(container)).Status, 'healthy', 'the last result stays')
  const seen: string[] = []
  for await (const { action } of it.engine.events({ since: 0, until: Date.now() + 1 })) seen.push(action)
  t.same(
    seen.filter((action) => action.startsWith('health_status')),
    ['health_status: healthy', 'health_status: unhealthy', 'health_status: healthy'],
  )
  await container.remove()
  await it.checkLeaks()
})

t.test('a check that takes too long, one that says much, one that does not exist', async (t) => {
  const it = await testEngine(t)
  const slow = await run(it, { test: ['CMD', 'sleep', '100'], timeout: 300, retries: 1 })
  const loud = await run(it, { test: ['CMD-SHELL', 'yes | head -c 100000'] })
  const none = await run(it, { test: ['CMD', 'nosuch'], retries: 1 })
  await until(async () => (await healthOf(slow)).Status === 'unhealthy')
  t.match((await healthOf(slow)).Log[0], { ExitCode: -1, Output: 'Health check exceeded timeout (0.3s)' })
  await until(async () => (await healthOf(loud)).Status === 'healthy')
  t.equal((await healthOf(loud)).Log[0]!.Output, `${'y\n'.repeat(2048)}...`)
  await until(async () => (await healthOf(none)).Status === 'unhealthy')
  t.match((await healthOf(none)).Log[0], { ExitCode: -1, Output: /execute: No such file or directory: nosuch/ })
  // The slow one's process is gone with its check.
  t.ok(Number(await execute(slow, ['sh', '-c', 'pgrep -f "^sleep 100$" | wc -l'])) <= 1)
  for (const container of [slow, loud, none]) await container.remove({ force: true })
  await it.checkLeaks()
})

t.test('failures while it starts do not count', async (t) => {
  const it = await testEngine(t)
  const container = await run(it, {
    test: ['CMD', 'test', '-e', '/up'],
    interval: 60_000,
    startPeriod: 60_000,
    startInterval: 100,
    retries: 1,
  })
  await until(async () => (await healthOf(container)).Log.length >= 2)
  t.match(await healthOf(container), { Status: 'starting', FailingStreak: 0 })
  await execute(container, ['touch', '/up'])
  await until(async () => (await healthOf(container)).Status === 'healthy')
  await container.remove({ force: true })
  await it.checkLeaks()
})

t.test('what is done when it is not well', async (t) => {
  const it = await testEngine(t)
  const ill = (onFailure: HealthOptions['onFailure'], more: object = {}) =>
    run(it, { test: ['CMD', 'false'], retries: 1, onFailure: onFailure! }, { init: true, stopTimeout: 1, ...more })
  const [killed, stopped, restarted, both] = [
    await ill('kill'),
    await ill('stop', { restart: { policy: 'always' } }),
    await ill('restart'),
    await ill('kill', { restart: { policy: 'on-failure', maxRetries: 1 } }),
  ]
  t.match(await killed.wait(), { exitCode: 137 })
  t.match(await stopped.wait(), { exitCode: 143 })
  await until(async () => (await stopped.summary()).state === 'exited')
  await until(async () => (await restarted.summary()).restartCount >= 2)
  await until(async () => (await both.summary()).state === 'exited')
  t.match(await both.summary(), { exitCode: 137, restartCount: 1 })
  for (const container of [killed, stopped, restarted, both]) await container.remove({ force: true })
  await it.checkLeaks()
})

t.test('none at all', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.create(it.image, ['true'], { healthcheck: { test: ['NONE'] } })
  t.notOk('Health' in ((await container.inspect()) as { State: object }).State)
  await container.remove()
  const refused = (healthcheck: HealthOptions) => it.engine.create(it.image, ['true'], { healthcheck })
  await t.rejects(refused({ test: ['CMD', 'x'], interval: 0.5 }), { message: /cannot be less than 1ms/ })
  await t.rejects(refused({ test: ['SHELL', 'x'] }), { message: /Unknown healthcheck type/ })
  await t.rejects(refused({ test: ['CMD', 'x'], retries: -1 }), { message: /cannot be negative/ })
  await it.checkLeaks()
})
