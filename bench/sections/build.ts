import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BuildOptions, BuildResult } from '../../src/engine/build-types.js'
import { busyboxImage } from '../../test/fixtures/images.js'
import { tool } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { type BenchEngine, cli, loadBusybox, openEngine } from '../jubako.js'
import { interleave, median, type Sample, timed } from '../measure.js'
import type { AbsentPeer } from '../peers.js'
import { compile, Timer } from '../programs.js'

type BuildEngine = BenchEngine & { build(options: BuildOptions): Promise<BuildResult> }

const BASE = 'localhost/jubako-bench-build:latest'
const FILES = 20_000
const OURS = 'jubako'
const BUILDKIT = 'docker build (BuildKit)'

interface Case {
  name: string
  folder: string
  cached: boolean
  /** How many times as fast as the fastest peer. */
  goal: number
  every: number
}

interface Builder {
  name: string
  /** Words of the command. */
  build(folder: string, cached: boolean): string[]
  env?: Record<string, string>
}

/** Debian's builders with the base image in their stores; those that cannot be used say why. */
async function peers(work: string, archive: string): Promise<{ builders: Builder[]; absent: AbsentPeer[] }> {
  const builders: Builder[] = []
  const absent: AbsentPeer[] = []
  const storage = ['--root', join(work, 'buildah'), '--runroot', join(work, 'buildah-run')]
  const attempt = async (name: string, prepare: () => Promise<unknown>, builder: Builder) => {
    try {
      await prepare()
      builders.push(builder)
    } catch (error) {
      absent.push({ name, reason: (error as Error).message.split('\n').at(-1)!.slice(0, 200) })
    }
  }
  await attempt(
    'buildah bud',
    async () => {
      const id = (await tool('buildah', [...storage, 'pull', '-q', `docker-archive:${archive}`])).trim()
      await tool('buildah', [...storage, 'tag', id, BASE])
    },
    {
      name: 'buildah bud',
      build: (folder, cached) => [
        ...['buildah', ...storage, 'bud', '-q', '--layers', '--isolation', 'chroot', '--network', 'host'],
        ...(cached ? [] : ['--no-cache']),
        folder,
      ],
    },
  )
  for (const [name, kit] of [
    ['docker build (classic)', '0'],
    [BUILDKIT, '1'],
  ] as const) {
    // A client without the buildx plugin has no BuildKit; Debian's own has one in it.
    let client = 'docker'
    const words = (folder: string, cached: boolean) => [
      ...['env', `DOCKER_BUILDKIT=${kit}`, client, 'build', '-q', '--network', 'none'],
      ...(cached ? [] : ['--no-cache']),
      folder,
    ]
    await attempt(
      name,
      async () => {
        const said = await tool('docker', ['load', '-q', '-i', archive])
        await tool('docker', ['tag', /: *(\S+)\s*$/.exec(said)![1]!, BASE])
        const probe = context(work, `probe-${kit}`, ['RUN true'])
        const works = async () => tool('env', words(probe, false).slice(1))
        await works().catch(() => {
          client = '/usr/bin/docker'
          return works()
        })
      },
      { name, build: words },
    )
  }
  return { builders, absent }
}

function context(work: string, name: string, dockerfile: string[], fill: (folder: string) => void = () => {}): string {
  const folder = join(work, `context-${name}`)
  mkdirSync(folder, { recursive: true })
  fill(folder)
  writeFileSync(join(folder, 'Dockerfile'), `${[`FROM ${BASE}`, ...dockerfile].join('\n')}\n`)
  return folder
}

function cases(work: string): Case[] {
  const steps = Array.from({ length: 10 }, (_, i) => [`RUN echo ${i} > /step-${i}`, `COPY file /copy-${i}`]).flat()
  const small = (folder: string) => writeFileSync(join(folder, 'file'), 'x')
  const many = (folder: string) => {
    for (let i = 0; i < FILES; i++) {
      if (i % 100 === 0) mkdirSync(join(folder, `files/${i / 100}`), { recursive: true })
      writeFileSync(join(folder, `files/${Math.floor(i / 100)}/${i}.txt`), `${i}\n`.repeat(50))
    }
  }
  const block = Buffer.alloc(2 ** 20, 'needed')
  const large = (folder: string) => {
    writeFileSync(join(folder, 'needed'), block)
    for (let i = 0; i < 1023; i++) writeFileSync(join(folder, `other-${i}`), block)
  }
  const one = (folder: string) => writeFileSync(join(folder, 'needed'), block)
  return [
    { name: '20 steps, cached', folder: context(work, 'steps', steps, small), cached: true, goal: 10, every: 1 },
    {
      name: '20 times RUN true, not cached',
      folder: context(
        work,
        'runs',
        Array.from({ length: 20 }, () => 'RUN true'),
      ),
      cached: false,
      goal: 5,
      every: 4,
    },
    {
      name: `COPY of ${FILES} files, not cached`,
      folder: context(work, 'files', ['COPY files /files'], many),
      cached: false,
      goal: 1,
      every: 4,
    },
    {
      name: '1 MB of a context of 1 GB',
      folder: context(work, 'large', ['COPY needed /'], large),
      cached: false,
      goal: 1,
      every: 4,
    },
    {
      name: '1 MB of a context of 1 MB',
      folder: context(work, 'small', ['COPY needed /'], one),
      cached: false,
      goal: 1,
      every: 4,
    },
  ]
}

/** Builds: in process against the other builders' commands, and from the shell. */
export async function buildSection({ work, rounds }: BenchContext): Promise<SectionResult> {
  const place = join(work, 'build')
  mkdirSync(place, { recursive: true })
  const timer = new Timer(compile('timer', work))
  const { builders, absent } = await peers(place, await (await busyboxImage()).dockerArchive())
  const all = cases(place)
  const store = join(place, 'store')
  try {
    await using engine = (await openEngine(store)) as BuildEngine
    const image = await loadBusybox(engine)
    await (engine as unknown as { tag(a: string, b: string): Promise<void> }).tag(image, BASE)
    const build = async ({ folder, cached }: Case) => {
      await engine.build({ context: folder, noCache: !cached, limits: { network: 'none' } })
    }
    const steps = all[0]!
    const shell = cli(store, 'build', '-q', '--network', 'none', steps.folder)
    const samples = await interleave(
      [
        { name: 'node, empty program', run: () => timer.time([process.execPath, '-e', '0']) },
        { name: `${OURS}, from the shell: ${steps.name}`, run: () => timer.time(shell) },
        ...all.flatMap((one) => [
          { name: `${OURS}: ${one.name}`, every: one.every, run: () => timed(() => build(one)) },
          ...builders.map((builder) => ({
            name: `${builder.name}: ${one.name}`,
            every: one.every * 2,
            run: () => timer.time(builder.build(one.folder, one.cached)),
          })),
        ]),
      ],
      Math.max(9, Math.ceil(rounds / 8)),
      1,
    )
    return {
      title: 'Builds',
      method:
        'jubako in process (and once from the shell), the others by their commands: that is how a program uses them. Of the ' +
        'context of 1 GB one file of 1 MB is copied.',
      samples,
      goals: goals(samples, all, builders),
      absent,
    }
  } finally {
    await timer.close()
    rmSync(place, { recursive: true, force: true })
  }
}

function goals(samples: Sample[], all: Case[], builders: Builder[]): Goal[] {
  const of = (name: string) => median(pick(samples, name).times)
  const list: Goal[] = []
  for (const { name, goal } of all.slice(0, 3)) {
    if (builders.length === 0) continue
    const best = Math.min(...builders.map((builder) => of(`${builder.name}: ${name}`)))
    const ratio = best / of(`${OURS}: ${name}`)
    const text = goal === 1 ? 'faster than all' : `at least ${goal} times as fast as the best`
    list.push({ text: `${name}: ${text}`, measured: `${ratio.toFixed(1)} times`, reached: ratio > 1 && ratio >= goal })
  }
  const [large, small] = [of(`${OURS}: ${all[3]!.name}`), of(`${OURS}: ${all[4]!.name}`)]
  list.push({
    text: '1 MB of 1 GB costs what 1 MB costs (at most 10 % and 2 ms more)',
    measured: `${large.toFixed(1)} ms and ${small.toFixed(1)} ms`,
    reached: large <= small * 1.1 + 2,
  })
  const extra = of(`${OURS}, from the shell: ${all[0]!.name}`) - of('node, empty program')
  list.push({
    text: 'cached from the shell: an empty node and 35 ms',
    measured: `${extra.toFixed(1)} ms more`,
    reached: extra <= 35,
  })
  if (builders.some(({ name }) => name === BUILDKIT)) {
    const [ours, theirs] = [of(`${OURS}, from the shell: ${all[0]!.name}`), of(`${BUILDKIT}: ${all[0]!.name}`)]
    list.push({
      text: "cached from the shell: never more than BuildKit's",
      measured: `${ours.toFixed(0)} ms and ${theirs.toFixed(0)} ms`,
      reached: ours <= theirs,
    })
  }
  return list
}
