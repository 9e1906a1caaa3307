import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Engine } from '../../src/index.js'
import { collect, testEngine } from '../helpers/engine.js'

const sh = (script: string) => ['sh', '-c', script]

t.test('create, start, stop, start again, remove', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.create(
    it.image,
    sh('echo run >> /count; cat /count; trap "exit 5" TERM; sleep 100 & wait'),
    {
      name: 'cycle',
    },
  )
  t.equal((await container.summary()).state, 'created')
  await container.start()
  t.equal((await container.summary()).state, 'running')
  await container.start()
  await sleep(200)
  await container.stop({ timeout: 5 })
  t.match(await container.summary(), { state: 'exited', exitCode: 5 })
  await container.stop()
  const again = await it.engine.container('cycle')
  await again.start()
  await sleep(200)
  await t.rejects(again.remove(), { code: 'ERR_JUBAKO_CONFLICT' })
  const lines: string[] = []
  for await (const { data } of again.logs()) lines.push(data.toString())
  t.same(lines, ['run\n', 'run\n', 'run\n'])
  await again.remove({ force: true })
  await t.rejects(it.engine.container('cycle'), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await it.checkLeaks()
})

t.test('names are unique and come back', async (t) => {
  const it = await testEngine(t)
  const first = await it.engine.create(it.image, ['true'], { name: 'one' })
  await t.rejects(it.engine.create(it.image, ['true'], { name: 'one' }), { code: 'ERR_JUBAKO_CONFLICT' })
  await first.remove()
  await (await it.engine.create(it.image, ['true'], { name: 'one' })).remove()
  await t.rejects(it.engine.create(it.image, ['true'], { name: '-x' }), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  await it.checkLeaks()
})

t.test('exec', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, ['sleep', '100'], { detached: true, name: 'host-of-exec' })
  const process = await container.exec(sh('echo $X; id -u; readlink /proc/self/ns/pid; exit 3'), {
    env: { X: 'y' },
    user: '7',
  })
  const [output, status] = await Promise.all([collect(process.stdout), process.wait()])
  t.match(output, /^y\n7\npid:/)
  t.equal(status.exitCode, 3)
  const inner = await container.exec(['readlink', '/proc/1/ns/pid'])
  t.equal(await collect(inner.stdout), `${output.split('\n')[2]}\n`)
  await inner.wait()
  const echo = await container.exec(['cat'], { stdin: true })
  echo.stdin!.end('through')
  t.equal(await collect(echo.stdout), 'through')
  const terminal = await container.exec(sh('tty; stty size'), { tty: true, columns: 70, rows: 20 })
  t.match(await collect(terminal.stdout), /\/dev\/pts\/\d+\r\n20 70\r\n/)
  await t.rejects(container.exec(['nosuch']), { code: 'ERR_JUBAKO_COMMAND_NOT_FOUND' })
  await container.pause()
  t.equal((await container.summary()).state, 'paused')
  await t.rejects(container.exec(['true']), { code: 'ERR_JUBAKO_STATE', message: /is paused/ })
  await container.unpause()
  const long = await container.exec(['sleep', '100'])
  await long.kill('SIGTERM')
  t.match(await long.wait(), { exitCode: 143, signal: 'SIGTERM' })
  await container.remove({ force: true })
  await t.rejects(container.exec(['true']), { code: 'ERR_JUBAKO_STATE' })
  await it.checkLeaks()
})

t.test('attach sees what comes, from several clients', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, ['cat'], { detached: true, stdin: true })
  const [a, b] = [await container.attach(), await container.attach({ stdin: false })]
  a.stdin!.write('one\n')
  const first = await Promise.all(
    [a, b].map((it) => new Promise((resolve) => it.stdout.once('data', (d) => resolve(String(d))))),
  )
  t.same(first, ['one\n', 'one\n'])
  b.detach()
  t.equal(await b.ended, null)
  t.equal((await container.summary()).state, 'running')
  a.stdin!.end()
  t.match(await a.ended, { exitCode: 0 })
  t.match(await container.wait(), { exitCode: 0 })
  await container.remove()
  await it.checkLeaks()
})

t.test('a detached container keeps its exit code, output and removal for others', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sh('echo out; echo err >&2; exit 4'), { detached: true })
  t.match(await container.wait(), { exitCode: 4 })
  const other = await Engine.open({ root: it.root, runRoot: it.runRoot })
  const seen = await other.container(container.id)
  t.match(await seen.wait(), { exitCode: 4 })
  const entries: string[] = []
  for await (const { stream, data } of seen.logs({ follow: true })) entries.push(`${stream} ${data}`)
  t.same(entries.sort(), ['stderr err\n', 'stdout out\n'])
  await seen.remove()
  const temporary = await it.engine.run(it.image, ['true'], { detached: true, autoRemove: true })
  await temporary.wait()
  for (let i = 0; i < 100 && existsSync(join(it.root, 'containers', temporary.id)); i++) await sleep(20)
  t.equal((await other.containers({ all: true })).length, 0)
  await other.close()
  await it.checkLeaks()
})

const program = fileURLToPath(new URL('../helpers/run-and-wait.js', import.meta.url))

/** Another process that runs a container, prints its id and waits. */
function otherProcess(it: { root: string; runRoot: string; image: string }, mode: string) {
  const child = spawn(process.execPath, [program, it.root, it.runRoot, it.image, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const id = new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data).trim())))
  return { child, id }
}

t.test('an owned container dies with a process that is killed', async (t) => {
  const it = await testEngine(t)
  const { child, id } = otherProcess(it, 'owned')
  const container = await it.engine.container(await id)
  t.equal((await container.summary()).state, 'running')
  const { pid } = await container.summary()
  child.kill('SIGKILL')
  for (let i = 0; i < 200 && existsSync(join(it.root, 'containers', container.id)); i++) await sleep(10)
  t.notOk(existsSync(join(it.root, 'containers', container.id)), 'its files are gone')
  t.notOk(existsSync(`/proc/${pid}`), 'its process is gone')
  await it.checkLeaks()
})

t.test('a detached container outlives a process that is killed', async (t) => {
  const it = await testEngine(t)
  const { child, id } = otherProcess(it, 'detached')
  const container = await it.engine.container(await id)
  child.kill('SIGKILL')
  await sleep(300)
  t.equal((await container.summary()).state, 'running')
  await container.kill()
  t.match(await container.wait(), { exitCode: 137, signal: 'SIGKILL' })
  await container.remove()
  await it.checkLeaks()
})

t.test('a supervisor that is killed takes its container along, and the next start sweeps', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, ['sleep', '100'], { detached: true, autoRemove: true })
  const { pid } = await container.summary()
  const parent = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
  process.kill(parent, 'SIGKILL')
  // Whether it is reaped soon is up to this machine's init.
  const lives = () => existsSync(`/proc/${pid}`) && !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  for (let i = 0; i < 200 && lives(); i++) await sleep(10)
  t.notOk(lives())
  const next = await Engine.open({ root: it.root, runRoot: it.runRoot })
  t.same(await next.containers({ all: true }), [])
  await next.close()
  await it.checkLeaks()
})
