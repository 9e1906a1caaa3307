import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { CHECKOUT } from '../../test/helpers/checkout.js'
import { type BenchContext, pick, type SectionResult } from '../context.js'
import { interleave, median, quantile } from '../measure.js'
import type { WorkerAnswer } from '../worker.js'

const BALLAST_MIB = 600
const NOISE = 1.1

async function startWorker(store: string, ballastMiB: number): Promise<ChildProcess> {
  const program = join(CHECKOUT, 'dist/bench/worker.js')
  const child = fork(program, [store, String(ballastMiB)], { execArgv: ['--max-old-space-size=4096'] })
  const ready = once(child, 'message')
  await Promise.race([ready, once(child, 'exit').then(() => Promise.reject(new Error('the worker ended')))])
  return child
}

async function ask(child: ChildProcess): Promise<WorkerAnswer> {
  const answer = once(child, 'message')
  child.send('start')
  const [value] = await Promise.race([
    answer,
    once(child, 'exit').then(() => Promise.reject(new Error('the worker ended'))),
  ])
  return value as WorkerAnswer
}

async function end(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.send('end')
  await exit
}

/** The Node process around it: a large heap must not matter, and the event loop must not stand still. */
export async function processSection({ work, rounds }: BenchContext): Promise<SectionResult> {
  const small = await startWorker(join(work, 'store'), 0)
  const large = await startWorker(join(work, 'store'), BALLAST_MIB)
  const blocked: number[] = []
  const delays: number[] = []
  const names = { small: 'small heap', large: `${BALLAST_MIB} MiB heap` }
  const samples = await interleave(
    [
      {
        name: names.small,
        run: async (round) => {
          const answer = await ask(small)
          if (round >= 0) blocked.push(answer.blocked)
          if (round >= 0) delays.push(answer.delay)
          return answer.reaped
        },
      },
      { name: names.large, run: async () => (await ask(large)).reaped },
    ],
    rounds,
    5,
  )
  await Promise.all([end(small), end(large)])
  const ratio = median(pick(samples, names.large).times) / median(pick(samples, names.small).times)
  const block = median(blocked)
  return {
    title: 'In the Node process',
    method:
      'Start to exit status in two processes side by side, one with a heap of live objects. Block: the longest turn of ' +
      'the event loop while one container starts and ends, the loop turning freely (setImmediate).',
    samples,
    table: [
      ['event loop, per container', 'median', 'p90', 'longest'],
      ['longest turn (ms)', ...[block, quantile(blocked, 0.9), Math.max(...blocked)].map((value) => value.toFixed(2))],
      [
        'monitorEventLoopDelay, max (ms)',
        ...[median(delays), quantile(delays, 0.9), Math.max(...delays)].map((value) => value.toFixed(2)),
      ],
    ],
    goals: [
      { text: 'the heap changes nothing', measured: `large to small: ${ratio.toFixed(2)}`, reached: ratio <= NOISE },
      {
        text: 'a start blocks the event loop at most 1 ms',
        measured: `${block.toFixed(2)} ms (median)`,
        reached: block <= 1,
      },
    ],
  }
}
