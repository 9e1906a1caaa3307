import { join } from 'node:path'
import { busyboxImage } from '../../test/fixtures/images.js'
import { LIMITS } from '../bundle.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { cli, loadBusybox, openEngine } from '../jubako.js'
import { interleave, median, type Sample } from '../measure.js'
import { findEngines, isAbsent, isPeer } from '../peers.js'
import { compile, Timer } from '../programs.js'

const NODE = 'node, empty program'
const VERSION = 'jubako --version'
const RUN = 'jubako run --rm --network none'

function goals(samples: Sample[]): Goal[] {
  const of = (name: string) => median(pick(samples, name).times)
  const extra = of(VERSION) - of(NODE)
  const list = [
    {
      text: '`jubako --version` at most 25 ms over an empty node',
      measured: `${extra.toFixed(1)} ms`,
      reached: extra <= 25,
    },
  ]
  for (const [engine, factor] of [
    ['podman', 1],
    ['docker', 2],
  ] as const) {
    const name = `${engine} run --rm --network none`
    if (!samples.some((sample) => sample.name === name)) continue
    const ratio = of(name) / of(RUN)
    const text = factor === 1 ? `faster than ${engine}` : `at least ${factor} times as fast as ${engine}`
    list.push({
      text: `\`${RUN}\` ${text}`,
      measured: `${ratio.toFixed(2)} times as fast`,
      reached: ratio > 1 && ratio >= factor,
    })
  }
  return list
}

/** The command line against an empty node and the other engines' command lines. */
export async function shellSection({ work, rounds }: BenchContext): Promise<SectionResult> {
  const store = join(work, 'store')
  const timer = new Timer(compile('timer', work))
  const engines = findEngines(await (await busyboxImage()).dockerArchive())
  let image = ''
  {
    await using engine = await openEngine(store)
    image = await loadBusybox(engine)
  }
  const { memory, memorySwap, cpus, cpuShares, pidsLimit } = LIMITS
  const limits = [`--memory=${memory}`, `--memory-swap=${memorySwap}`, `--cpus=${cpus}`]
  const words = ['run', '--rm', '--network=none', ...limits, `--cpu-shares=${cpuShares}`, `--pids-limit=${pidsLimit}`]
  const commands: [string, string[]][] = [
    [NODE, [process.execPath, '-e', '0']],
    [VERSION, cli(store, '--version')],
    [RUN, cli(store, ...words, image, '/bin/true')],
  ]
  try {
    const samples = await interleave(
      [
        ...commands.map(([name, command]) => ({ name, run: () => timer.time(command) })),
        ...engines.filter(isPeer).map((peer) => ({
          name: peer.name,
          every: 2,
          run: (round: number) => timer.time(peer.command(round)),
        })),
      ],
      Math.max(4, Math.ceil(rounds / 4)),
    )
    return {
      title: 'From the shell',
      method:
        'From the start of the process to its reaped exit; `run` starts `/bin/true` with the same limits everywhere.',
      samples,
      ratioTo: [RUN],
      goals: goals(samples),
      absent: engines.filter(isAbsent),
    }
  } finally {
    await timer.close()
    for (const peer of engines) if (isPeer(peer)) peer.close()
  }
}
