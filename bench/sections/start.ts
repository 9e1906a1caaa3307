import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { busyboxImage } from '../../test/fixtures/images.js'
import { tool } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { loadBusybox, openEngine, startOnce } from '../jubako.js'
import { interleave, median, type Sample, type Subject } from '../measure.js'
import { findRuntimes, isAbsent, isPeer } from '../peers.js'
import { compile, Oracle, Timer } from '../programs.js'

const ORACLE = 'oracle: to the reaped exit'
const OURS = 'jubako from Node: to the exit status'

function goals(samples: Sample[]): Goal[] {
  const ours = median(pick(samples, OURS).times)
  const compare = (text: string, other: string, reached: (ratio: number) => boolean): Goal[] => {
    const sample = samples.find(({ name }) => name === other)
    if (sample === undefined) return []
    const ratio = median(sample.times) / ours
    return [{ text, measured: `${other} takes ${ratio.toFixed(2)} times as long`, reached: reached(ratio) }]
  }
  const ratio = ours / median(pick(samples, ORACLE).times)
  return [
    { text: 'at most 2 times the oracle', measured: `${ratio.toFixed(2)} times`, reached: ratio <= 2 },
    ...compare('faster than `crun run`', 'crun run', (factor) => factor > 1),
    ...compare('at least 4 times as fast as `runc run`', 'runc run', (factor) => factor >= 4),
  ]
}

/** Unpacks the busybox layer as the plain root file system of oracle and runtimes. */
async function plainRoot(work: string): Promise<string> {
  const rootfs = join(work, 'rootfs')
  rmSync(rootfs, { recursive: true, force: true })
  mkdirSync(rootfs, { recursive: true })
  const { layout } = await busyboxImage()
  const layer = 'find blobs -type f -size +100k | head -1 | xargs tar -C "$0" -xzf'
  await tool('sh', ['-c', layer, rootfs], { cwd: layout })
  return rootfs
}

/** `/bin/true` in a full container, from start to exit, against the oracle and the low-level runtimes. */
export async function startSection({ work, rounds }: BenchContext): Promise<SectionResult> {
  const rootfs = await plainRoot(work)
  const oracle = new Oracle(compile('oracle', work), rootfs, join(work, 'oracle-layer'), 'jubako-bench-oracle')
  const timer = new Timer(compile('timer', work))
  const runtimes = findRuntimes(work, rootfs)
  await using engine = await openEngine(join(work, 'store'))
  const image = await loadBusybox(engine)
  const subjects: Subject[] = [
    {
      name: ORACLE,
      run: async () => {
        const { reaped, removed } = await oracle.start()
        return { [ORACLE]: reaped, 'oracle: to everything removed': removed }
      },
    },
    {
      name: OURS,
      run: async () => {
        const { reaped, removed } = await startOnce(engine, image)
        return { [OURS]: reaped, 'jubako from Node: to everything removed': removed }
      },
    },
    ...runtimes.filter(isPeer).map((peer) => ({
      name: peer.name,
      run: (round: number) => timer.time(peer.command(round)),
    })),
  ]
  try {
    const samples = await interleave(subjects, rounds, 5)
    return {
      title: 'Start of a full container',
      method:
        '`/bin/true` (busybox) with all namespaces, no network, an overlay, masked paths, seccomp and limits of memory, ' +
        'CPU and pids. The oracle is a C program that makes the system calls and nothing else (`bench/oracle.c`). The ' +
        'runtimes get a bundle with the same configuration over a plain directory: they are spared the overlay.',
      samples,
      ratioTo: [ORACLE, OURS],
      goals: goals(samples),
      absent: runtimes.filter(isAbsent),
    }
  } finally {
    await Promise.all([oracle.close(), timer.close()])
    for (const peer of runtimes) if (isPeer(peer)) peer.close()
  }
}
