import { join } from 'node:path'
import type { BenchContext, SectionResult } from '../context.js'
import { loadBusybox, openEngine, startOnce } from '../jubako.js'
import { median } from '../measure.js'

const CONTAINERS = 200
const EDGE = 50
/** Two medians of the same thing differ by this much on a quiet machine. */
const NOISE = 1.15

/** Many containers one after the other in one process: does the cost grow? */
export async function growthSection({ work }: BenchContext): Promise<SectionResult> {
  await using engine = await openEngine(join(work, 'store'))
  const image = await loadBusybox(engine)
  for (let i = 0; i < 10; i++) await startOnce(engine, image)
  const times: number[] = []
  const before = process.memoryUsage.rss()
  for (let i = 0; i < CONTAINERS; i++) times.push((await startOnce(engine, image)).removed / 1e6)
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20
  const [first, last] = [times.slice(0, EDGE), times.slice(-EDGE)]
  const ratio = median(last) / median(first)
  return {
    title: `${CONTAINERS} containers in a row`,
    method: `One after the other in one process, until everything is removed. The process grew by ${grown.toFixed(1)} MiB.`,
    samples: [
      { name: `the first ${EDGE}`, times: first },
      { name: `the last ${EDGE}`, times: last },
    ],
    goals: [{ text: 'no growth in cost', measured: `last to first: ${ratio.toFixed(2)}`, reached: ratio <= NOISE }],
  }
}
