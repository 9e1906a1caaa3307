// lanes: host
// Supervisors that wait for the next start or exec: there when they are of use, gone soon after, and nobody's loss.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { CHECKOUT } from '../helpers/checkout.js'
import { collect, testEngine } from '../helpers/engine.js'
import { until } from '../helpers/until.js'

const text = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Pids of children of this process that wait in this role. */
function waiting(role: 'supervise' | 'exec-again'): number[] {
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

t.test('execs', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, ['sleep', '1000'])
  const other = await it.engine.run(it.image, ['sleep', '1000'], { pid: 'host', capDrop: ['ALL'] })
  const said = async (where: typeof container, script: string, input?: string) => {
    const exec = await where.exec(['sh', '-c', script], { stdin: input !== undefined })
    exec.stdin?.end(input)
    const [stdout, { exitCode }] = await Promise.all([collect(exec.stdout), exec.wait()])
    return `${stdout}${exitCode}`
  }
  const one = async () => {
    await until(async () => waiting('exec-again').length > 0)
    return waiting('exec-again')
  }
  t.equal(await said(container, 'exit 3'), '3')
  const parent = async (where: typeof container, script: string) => {
    const exec = await where.exec(['sh', '-c', `${script}; sleep 1`])
    const pid = Number(/PPid:\s*(\d+)/.exec(text(`/proc/${exec.pid}/status`))?.[1])
    await exec.kill()
    await exec.wait()
    return pid
  }
  await until(async () => {
    const before = await one()
    return before.includes(await parent(container, 'true'))
  })
  t.pass('the next exec is under the one that waited')
  await one()
  t.match(
    await said(other, 'readlink /proc/self/ns/pid'),
    new RegExp(readlinkSync('/proc/self/ns/pid').replace(/[[\]]/g, '.')),
  )
  await one()
  t.notMatch(
    await said(container, 'readlink /proc/self/ns/pid'),
    readlinkSync('/proc/self/ns/pid'),
    'each joins what is its',
  )
  await one()
  t.match(await said(other, 'grep CapEff /proc/self/status'), '0000000000000000', 'with its own rights')
  t.equal(await said(container, 'cat', 'in'), 'in0')
  t.equal(await said(container, 'ls /proc/self/fd | wc -l'), '4\n0', 'and nothing of the one before')
  const lasting = await it.engine.run(it.image, ['sleep', '1000'], { detached: true, init: true })
  await said(lasting, 'true')
  await one()
  await lasting.restart()
  const { pid } = await lasting.summary()
  t.equal(
    await said(lasting, 'readlink /proc/self/ns/pid'),
    `${readlinkSync(`/proc/${pid}/ns/pid_for_children`)}\n0`,
    'a container that was started again is found again',
  )
  await lasting.remove({ force: true })
  const many = await Promise.all(Array.from({ length: 12 }, (_, i) => said(i % 2 ? container : other, `echo -n ${i}-`)))
  t.same(
    many,
    Array.from({ length: 12 }, (_, i) => `${i}-0`),
  )
  await until(async () => waiting('exec-again').length === 0)
  t.equal(await said(container, 'exit 6'), '6', 'they wait for a moment only')
  const killed = await one()
  for (const pid of killed) process.kill(pid, 'SIGKILL')
  await until(async () => killed.every((pid) => !existsSync(`/proc/${pid}`)))
  t.equal(await said(container, 'exit 4'), '4', 'one that was killed is no loss')
  await until(async () => waiting('exec-again').length === 0)
  t.equal(await said(container, 'exit 5'), '5')
  await it.engine.close()
  t.same(waiting('exec-again'), [])
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
