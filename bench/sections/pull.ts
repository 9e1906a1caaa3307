import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '../../src/engine/engine.js'
import { debianImage, manyFilesImage } from '../../test/fixtures/images.js'
import { startRegistry, type TestRegistry } from '../../test/fixtures/registry.js'
import { tool } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { costOf, findTools, type ImageTool, ourTool, peakOf } from '../image-peers.js'
import { openEngine } from '../jubako.js'
import { interleave, median, type Sample, timed } from '../measure.js'
import { compile, Timer } from '../programs.js'

const DATA_FILES = 40
const DATA_SIZE = 6_000_000
const PRESENT_ROUNDS = 50
const OURS = 'jubako'
const MOST_MEMORY = 150e6

interface Case {
  name: string
  reference: string
}

/** Debian, and an image of more than 300 MB and 30,000 files: three layers over one another. */
async function fill(registry: TestRegistry, work: string): Promise<Case[]> {
  const debian = await registry.push(await debianImage(), 'bench/debian')
  const context = join(work, 'context')
  mkdirSync(context)
  // Hexadecimal digits: it packs to about half, as programs do.
  for (let i = 0; i < DATA_FILES; i++) {
    writeFileSync(join(context, `data-${i}`), randomBytes(DATA_SIZE / 2).toString('hex'))
  }
  const engine = (await openEngine(join(work, 'maker'))) as unknown as Engine
  try {
    const [loaded] = await engine.load(await (await manyFilesImage()).ociArchive())
    await engine.tag(loaded!.references[0] ?? loaded!.imageId, 'localhost/jubako-bench-many:latest')
    writeFileSync(join(context, 'Dockerfile'), 'FROM localhost/jubako-bench-many\nCOPY data-* /data/\n')
    const large = `${registry.address}/bench/large:latest`
    await engine.build({ context, tags: [large] })
    await engine.push(large)
    return [
      { name: 'Debian', reference: debian },
      { name: 'large image', reference: large },
    ]
  } finally {
    await engine.close()
    rmSync(join(work, 'maker'), { recursive: true, force: true })
    rmSync(context, { recursive: true, force: true })
  }
}

const CPU = ', CPU'

async function present(work: string, reference: string): Promise<Sample> {
  const engine = (await openEngine(join(work, 'present'))) as unknown as Engine
  try {
    await engine.pull(reference)
    const times: number[] = []
    for (let i = 0; i < PRESENT_ROUNDS; i++) times.push((await timed(() => engine.pull(reference))) / 1e6)
    return { name: 'jubako from Node: pull of an image that is there', times }
  } finally {
    await engine.close()
  }
}

function goalsOf(samples: readonly Sample[], cases: readonly Case[], peers: readonly ImageTool[]): Goal[] {
  if (peers.length === 0) return []
  const of = (name: string) => median(pick(samples, name).times)
  return cases.flatMap(({ name }) => {
    const best = (suffix: string) => Math.min(...peers.map((peer) => of(`${peer.name}: ${name}${suffix}`)))
    const ratio = best('') / of(`${OURS}: ${name}`)
    const cpu = of(`${OURS}: ${name}${CPU}`)
    const least = best(CPU)
    return [
      {
        text: `${name}: at least 3 times as fast as the fastest peer`,
        measured: `${ratio.toFixed(2)} times as fast`,
        reached: ratio >= 3,
      },
      {
        text: `${name}: less CPU than any peer`,
        measured: `${(cpu / 1000).toFixed(2)} s, they at least ${(least / 1000).toFixed(2)} s`,
        reached: cpu < least,
      },
    ]
  })
}

/** Pulls into a cold store from a registry on this machine. */
export async function pullSection({ work, rounds, log }: BenchContext): Promise<SectionResult> {
  const place = join(work, 'pull')
  mkdirSync(place)
  const registry = await startRegistry({ program: 'docker-registry' })
  const timer = new Timer(compile('timer', place))
  const ours = ourTool(place)
  let found: ImageTool[] = []
  let cases: Case[] = []
  try {
    cases = await fill(registry, place)
    const { tools, absent } = findTools(place, cases[0]!.reference)
    found = tools
    log(`pulls by: ${[ours, ...tools].map(({ name }) => name).join(', ')}`)
    const cold = async (subject: ImageTool, reference: string) => {
      subject.forget(reference)
      await tool('sync', [])
    }
    const subjects = [ours, ...tools].flatMap((subject) =>
      cases.map(({ name, reference }) => ({
        name: `${subject.name}: ${name}`,
        run: async () => {
          await cold(subject, reference)
          const { nanoseconds, cpu } = await costOf(timer, subject, subject.pull(reference))
          subject.forget(reference)
          return { [`${subject.name}: ${name}`]: nanoseconds, [`${subject.name}: ${name}${CPU}`]: cpu * 1000 }
        },
      })),
    )
    const samples = await interleave(subjects, Math.min(rounds, Math.max(3, Math.ceil(rounds / 15))), 0)
    const table = [['peak memory (MB)', ...cases.map(({ name }) => name)]]
    let most = 0
    for (const subject of [ours, ...tools]) {
      const row = [subject.name]
      for (const { reference } of cases) {
        await cold(subject, reference)
        const peak = await peakOf(subject, subject.pull(reference))
        subject.forget(reference)
        if (subject === ours) most = Math.max(most, peak)
        row.push((peak / 1e6).toFixed(0))
      }
      table.push(row)
    }
    const again = await present(place, cases[0]!.reference)
    return {
      title: 'Pull',
      method:
        'From one docker-registry on this machine into a store without the image: Debian (one gzip layer), and an image of ' +
        'three layers with more than 30,000 files and 300 MB. jubako has flushed everything to the disk when it reports. CPU ' +
        'is that of the command and of its daemons; memory, in runs of their own, the proportional set size of the command’s ' +
        'processes and what the daemons grew by.',
      samples: [...samples.sort((a, b) => a.name.localeCompare(b.name)), again],
      table,
      goals: [
        ...goalsOf(samples, cases, tools),
        {
          text: 'peak memory at most 150 MB',
          measured: `${(most / 1e6).toFixed(0)} MB`,
          reached: most <= MOST_MEMORY,
        },
        {
          text: 'an image that is there: at most 10 ms',
          measured: `${median(again.times).toFixed(1)} ms`,
          reached: median(again.times) <= 10,
        },
      ],
      absent,
    }
  } finally {
    await timer.close()
    for (const each of [ours, ...found]) {
      for (const { reference } of cases) each.forget(reference)
      each.close()
    }
    await registry.close()
    rmSync(place, { recursive: true, force: true })
  }
}
