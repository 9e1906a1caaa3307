import { join } from 'node:path'
import type { Engine } from '../../src/engine/engine.js'
import type { Container } from '../../src/engine/types.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { loadBusybox, openEngine } from '../jubako.js'
import { interleave, median, type Sample, timed } from '../measure.js'
import { compile, LineProgram } from '../programs.js'

const BARE = 'oracle: setns, fork, execve'
const FULL = 'oracle: the same with cgroups, pipes, credentials, seccomp'
const EXEC = 'jubako exec from Node: to the exit status'
const STOPPED = 1000
const UP = 200
const EDGE = 20

const sleeper = ['sleep', '100000']

async function executed(container: Container): Promise<void> {
  const process = await container.exec(['/bin/true'])
  process.stdout?.resume()
  process.stderr?.resume()
  const { exitCode } = await process.wait()
  if (exitCode !== 0) throw new Error(`exec ended with ${exitCode}`)
}

async function execs(engine: Engine, image: string, { work, rounds }: BenchContext): Promise<Sample[]> {
  const container = await engine.run(image, sleeper, { detached: true })
  const { pid } = await container.summary()
  const oracle = new LineProgram(compile('exec-oracle', work), [String(pid), '/bin/true'])
  try {
    return await interleave(
      [
        { name: BARE, run: async () => Number(await oracle.ask('bare')) },
        { name: FULL, run: async () => Number(await oracle.ask('full')) },
        { name: EXEC, run: () => timed(() => executed(container)) },
        { name: 'stop and rm', every: 4, run: () => stopAndRemove(engine, image) },
      ],
      rounds,
    )
  } finally {
    await oracle.close()
    await container.remove({ force: true })
  }
}

async function stopAndRemove(engine: Engine, image: string): Promise<number> {
  const container = await engine.run(image, sleeper, { detached: true, init: true })
  return timed(async () => {
    await container.stop()
    await container.remove()
  })
}

/** Milliseconds of each start, all staying up. */
async function manyUp(engine: Engine, image: string): Promise<number[]> {
  const times: number[] = []
  const all: Container[] = []
  try {
    for (let i = 0; i < UP; i++) {
      times.push((await timed(async () => all.push(await engine.run(image, sleeper, { detached: true })))) / 1e6)
    }
    return times
  } finally {
    for (const container of all) await container.remove({ force: true })
  }
}

async function listing(engine: Engine, image: string): Promise<number> {
  const all: Container[] = []
  for (let i = 0; i < STOPPED; i++) all.push(await engine.create(image, ['true']))
  const times: number[] = []
  for (let i = 0; i < 12; i++) times.push((await timed(() => engine.containers({ all: true }))) / 1e6)
  for (const container of all) await container.remove()
  return median(times.slice(2))
}

/** What is done with containers after they were started. */
export async function lifeSection(context: BenchContext): Promise<SectionResult> {
  await using opened = await openEngine(join(context.work, 'store'))
  const engine = opened as unknown as Engine
  const image = await loadBusybox(opened)
  const samples = await execs(engine, image, context)
  const ups = await manyUp(engine, image)
  const growth = median(ups.slice(-EDGE)) / median(ups.slice(0, EDGE))
  const list = await listing(engine, image)
  const goals: Goal[] = [
    ...[FULL, BARE].map((oracle): Goal => {
      const ratio = median(pick(samples, EXEC).times) / median(pick(samples, oracle).times)
      return { text: `exec: at most 2 times the ${oracle}`, measured: `${ratio.toFixed(2)} times`, reached: ratio <= 2 }
    }),
    {
      text: `${UP} detached containers up: the last start at most 1.3 times the first`,
      measured: `${growth.toFixed(2)} times (medians of ${EDGE})`,
      reached: growth <= 1.3,
    },
    {
      text: `list ${STOPPED} stopped containers in at most 30 ms`,
      measured: `${list.toFixed(1)} ms`,
      reached: list <= 30,
    },
  ]
  return {
    title: 'A container’s life',
    method:
      'In one Node process. The oracle (`bench/exec-oracle.c`) joins the namespaces of the same container, once with all ' +
      'other system calls of an exec and once without.',
    samples,
    ratioTo: [FULL, BARE],
    goals,
  }
}
