import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '../../src/engine/engine.js'
import type { BenchContext, SectionResult } from '../context.js'
import { loadBusybox, openEngine } from '../jubako.js'
import { median, timed } from '../measure.js'

const IMAGES = 500

/** Lists of many images. */
export async function imagesSection({ work, rounds }: BenchContext): Promise<SectionResult> {
  const place = join(work, 'images')
  const context = join(place, 'context')
  mkdirSync(context, { recursive: true })
  const engine = (await openEngine(place)) as unknown as Engine
  try {
    const base = await loadBusybox(engine)
    for (let i = 1; i < IMAGES; i++) {
      writeFileSync(join(context, 'Dockerfile'), `FROM ${base}\nLABEL number=${i}\n`)
      await engine.build({ context, tags: [`bench-images:${i}`] })
    }
    const times: number[] = []
    let seen = 0
    for (let round = 0; round < rounds; round++) {
      times.push(
        (await timed(async () => {
          seen = (await engine.images()).length
        })) / 1e6,
      )
    }
    if (seen !== IMAGES) throw new Error(`${seen} images are listed`)
    const middle = median(times)
    return {
      title: `List of ${IMAGES} images`,
      method: 'In one Node process; the images have names and labels of their own.',
      samples: [{ name: 'jubako from Node: images', times }],
      goals: [{ text: 'at most 30 ms', measured: `${middle.toFixed(1)} ms`, reached: middle <= 30 }],
    }
  } finally {
    await engine.close()
    rmSync(place, { recursive: true, force: true })
  }
}
