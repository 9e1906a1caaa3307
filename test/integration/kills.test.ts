// lanes: host
// Processes of ours are killed at any moment. What the next engine finds is right, and nothing is left behind.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { type ContainerSummary, Engine, isJubakoError } from '../../src/index.js'
import { type TestEngine, testEngine } from '../helpers/engine.js'
import { until } from '../helpers/until.js'

const program = fileURLToPath(new URL('../helpers/kill-target.js', import.meta.url))
const ROUNDS = 5

/** Supervisors and other processes of jubako-init of a run root: their first argument after the role is the id. */
function initsOf(runRoot: string): number[] {
  const ids = new Set(readdirSync(runRoot))
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const [name, , id] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return name === 'jubako-init' && ids.has(id ?? '')
      } catch {
        return false
      }
    })
}

async function lookAt(t: Test, engine: Engine, { id, name, state }: ContainerSummary): Promise<void> {
  const container = await engine.container(id)
  t.match(await engine.container(name).catch(() => undefined), { id }, 'its name is its own')
  t.match(state, /^(created|running|exited|restarting)$/)
  if (state === 'running' || state === 'restarting') await container.wait()
  const lines: string[] = []
  // The output of an owned one was its owner's; it has no log.
  const { HostConfig } = (await container.inspect()) as { HostConfig: { LogConfig: { Type: string } } }
  if (HostConfig.LogConfig.Type !== 'none') {
    for await (const { data } of container.logs()) lines.push(data.toString())
  }
  t.ok(
    lines.every((line) => /^(first|last|line)\n$/.test(line)),
    'whole lines',
  )
  await until(async () => /^(created|exited)$/.test((await container.summary()).state))
  const { exitCode, state: last } = await container.summary()
  // Its own code, or that its supervisor or it was killed.
  if (last === 'exited') t.ok([3, 7, 137].includes(exitCode!), `exit code ${exitCode}`)
  await container.remove({ force: true })
}

/** A sweep, as every opening does; then every container is one that a person can look at, wait for and remove. */
async function lookAndRemove(t: Test, it: TestEngine): Promise<void> {
  const engine = await Engine.open({ root: it.root, runRoot: it.runRoot })
  for (const summary of await engine.containers({ all: true })) {
    try {
      await lookAt(t, engine, summary)
    } catch (error) {
      // One that goes with its end, or with its owner, was just about to.
      if (!isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND') || error.path !== summary.id) throw error
    }
  }
  await until(async () => (await engine.containers({ all: true })).length === 0)
  await engine.close()
}

t.test('the Node process', async (t) => {
  const it = await testEngine(t)
  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(process.execPath, [program, it.root, it.runRoot, it.image, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await sleep(Math.random() * 400)
    child.kill('SIGKILL')
    await once(child, 'close')
    await lookAndRemove(t, it)
  }
  await it.checkLeaks()
})

t.test('the supervisors', async (t) => {
  const it = await testEngine(t)
  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(process.execPath, [program, it.root, it.runRoot, it.image, String(round)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await once(child.stdout, 'data')
    for (let i = 0; i < 6 && child.exitCode === null; i++) {
      await sleep(Math.random() * 60)
      for (const pid of initsOf(it.runRoot)) {
        try {
          if (Math.random() < 0.7) process.kill(pid, 'SIGKILL')
        } catch {
          // It has ended.
        }
      }
    }
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    // What dies with a supervisor is gone a moment later.
    await sleep(50)
    await lookAndRemove(t, it)
  }
  await it.checkLeaks()
})
