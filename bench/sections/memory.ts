import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Container } from '../../src/engine/types.js'
import type { BenchContext, SectionResult } from '../context.js'
import { FULL, loadBusybox, openEngine } from '../jubako.js'
import { median } from '../measure.js'

const CONTAINERS = 20
const GOAL_KIB = 300

function field(file: string, name: string): number {
  const value = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1]
  if (value === undefined) throw new Error(`${file} has no ${name}`)
  return Number(value)
}

/** What the supervisors of idle detached containers hold. */
export async function memorySection({ work }: BenchContext): Promise<SectionResult> {
  await using engine = await openEngine(join(work, 'store'))
  const image = await loadBusybox(engine)
  const containers: Container[] = []
  try {
    for (let i = 0; i < CONTAINERS; i++) {
      containers.push(await engine.run(image, ['sleep', '600'], { ...FULL, detached: true }))
    }
    await sleep(500)
    const supervisors = []
    for (const container of containers)
      supervisors.push(field(`/proc/${(await container.summary()).pid}/status`, 'PPid'))
    if (supervisors.some((pid) => pid <= 1)) throw new Error('a container has no supervisor')
    const pss = supervisors.map((pid) => field(`/proc/${pid}/smaps_rollup`, 'Pss'))
    const rss = supervisors.map((pid) => field(`/proc/${pid}/smaps_rollup`, 'Rss'))
    return {
      title: 'Memory of an idle detached container',
      method: `The supervisors of ${CONTAINERS} containers that run \`sleep\`, from \`smaps_rollup\`.`,
      table: [
        ['KiB', 'median', 'largest'],
        ['proportional set size', `${median(pss)}`, `${Math.max(...pss)}`],
        ['resident set size', `${median(rss)}`, `${Math.max(...rss)}`],
      ],
      goals: [
        {
          text: `at most ${GOAL_KIB} KiB proportional`,
          measured: `${median(pss)} KiB`,
          reached: median(pss) <= GOAL_KIB,
        },
      ],
    }
  } finally {
    for (const container of containers) await container.remove({ force: true })
  }
}
