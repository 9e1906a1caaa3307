// lanes: host
// Supervisors that wait for the next start or exec: there when they are of use, gone soon after, and nobody's loss.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { CHECKOUT } from '../helpers/checkout.js'
import { testEngine } from '../helpers/engine.js'
import { until } from '../helpers/until.js'

const text = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Pids of children of this process that wait in this role. */
function waiting(role: 'supervise' | 'exec'): number[] {
  return readdirSync('/proc')
    .filter(
      (pid) => /^\d+$/.test(pid) && text(`/proc/${pid}/cmdline`) === `jubako-init\0${role}\0${'idle'.padEnd(64)}\0`,
    )
    .filter((pid) => text(`/proc/${pid}/stat`).split(') ')[1]?.split(' ')[1] === String(process.pid))
    .map(Number)
}

t.test('starts', async (t) => {
  const it = await testEngine(t)
  const start = async () => {
    const container = await it.engine.run(it.image, ['sh', '-c', 'exit 7'])
    t.match(await container.wait(), { exitCode: 7 })
    await container.close()
  }
  await sleep(300)
  await start()
  await sleep(20)
  t.same(waiting('supervise'), [], 'one start promises no other')
  await start()
  await until(async () => waiting('supervise').length === 1)
  const [spare] = waiting('supervise')
  const container = await it.engine.run(it.image, ['sleep', '1000'], { name: 'mine' })
  t.equal(text(`/proc/${spare}/cmdline`), `jubako-init\0supervise\0${container.id}\0`, 'the next start has it')
  await container.close()

  await start()
  await until(async () => waiting('supervise').length === 1)
  const [killed] = waiting('supervise')
  process.kill(killed!, 'SIGKILL')
  await until(async () => !existsSync(`/proc/${killed}`))
  await start()
  await until(async () => waiting('supervise').length === 0)
  t.same(await it.engine.containers({ all: true }), [])
  await it.checkLeaks()
})

t.test('execs, until the engine closes', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, ['sleep', '1000'])
  for (let round = 0; round < 3; round++) {
    const done = await container.exec(['sh', '-c', 'exit 3'])
    t.match(await done.wait(), { exitCode: 3 })
  }
  await until(async () => waiting('exec').length === 1)
  await it.engine.close()
  t.same(waiting('exec'), [])
  await it.checkLeaks()
})

t.test('a program does not wait for them', async (t) => {
  const it = await testEngine(t)
  const program = `
    import { Engine } from '${CHECKOUT}/dist/src/index.js'
    const engine = await Engine.open({ root: '${it.root}', runRoot: '${it.runRoot}' })
    for (let i = 0; i < 2; i++) {
      const container = await engine.run('${it.image}', ['true'])
      await container.wait()
      await container.close()
    }
    setTimeout(() => process.exit(9), 5000).unref()
  `
  execFileSync(process.execPath, ['--input-type=module', '-e', program])
  await sleep(20)
  await it.checkLeaks()
  t.pass('it ended by itself, with nothing left')
})
