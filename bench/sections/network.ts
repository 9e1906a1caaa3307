import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { busyboxImage } from '../../test/fixtures/images.js'
import { CHECKOUT } from '../../test/helpers/checkout.js'
import { TOOL_ENV } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { interleave, median, type Sample } from '../measure.js'
import { findEngines, isAbsent, isPeer } from '../peers.js'
import { compile, Timer } from '../programs.js'

const OURS = 'jubako from Node: bridge, published port'
const MANY = 200

/** The worker, one answer per question. */
function openWorker(work: string) {
  const program = join(CHECKOUT, 'dist/bench/network-worker.js')
  const inside = 'ip link set lo up && exec "$@"'
  const words = ['--net', 'setpriv', '--pdeathsig', 'KILL', 'sh', '-c', inside, 'sh', process.execPath, program, work]
  const child = spawn('unshare', words, { env: TOOL_ENV, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise((settle) => child.on('close', settle))
  return {
    ask: async <T>(question: string): Promise<T> => {
      child.stdin.write(`${question}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error('the worker ended')
      return JSON.parse(value) as T
    },
    close: async () => {
      child.stdin.end()
      await ended
    },
  }
}

function goals(samples: Sample[], times: readonly number[]): Goal[] {
  const ours = median(pick(samples, OURS).times)
  const compared = (['podman', 'docker'] as const).flatMap((name): Goal[] => {
    const sample = samples.find((candidate) => candidate.name.startsWith(name))
    if (sample === undefined) return []
    const factor = name === 'podman' ? 15 : 30
    const ratio = median(sample.times) / ours
    const measured = `${ratio.toFixed(1)} times as fast`
    return [{ text: `at least ${factor} times as fast as ${name}`, measured, reached: ratio >= factor }]
  })
  const growth = median(times.slice(-20)) / median(times.slice(0, 20))
  const text = `the ${MANY}th networked container starts within 1.3 times the first`
  return [...compared, { text, measured: `${growth.toFixed(2)} times (medians of 20)`, reached: growth <= 1.3 }]
}

/** A container on the default bridge with a published port, against the other engines' command lines. */
export async function networkSection({ work, rounds }: BenchContext): Promise<SectionResult> {
  const worker = openWorker(join(work, 'store'))
  const timer = new Timer(compile('timer', work))
  const engines = findEngines(await (await busyboxImage()).dockerArchive())
  try {
    const samples = await interleave(
      [
        { name: OURS, run: () => worker.ask<number>('start') },
        ...engines.filter(isPeer).map((peer, at) => ({
          name: peer.name.replace('--network none', '-p'),
          every: 2,
          run: (round: number) => {
            const publish = `127.0.0.1:${18081 + at}:80`
            const words = peer.command(round).flatMap((word) => (word === '--network=none' ? ['-p', publish] : [word]))
            return timer.time(words)
          },
        })),
      ],
      Math.max(4, Math.ceil(rounds / 4)),
    )
    const times = await worker.ask<number[]>(`many ${MANY}`)
    return {
      title: 'Start with a network',
      method:
        '`/bin/true` (busybox) on the default bridge with a published TCP port, from start to exit. jubako runs in a network ' +
        'namespace that stands for the host; the peers are whole command lines, with their own networks.',
      samples,
      ratioTo: [OURS],
      goals: goals(samples, times),
      absent: engines.filter(isAbsent),
    }
  } finally {
    await worker.close()
    for (const peer of engines.filter(isPeer)) peer.close()
  }
}
