import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '../../src/engine/engine.js'
import type { Container } from '../../src/engine/types.js'
import { debianImage } from '../../test/fixtures/images.js'
import { tool } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { openEngine } from '../jubako.js'
import { interleave, median, type Sample, type Subject, timed } from '../measure.js'
import { type AbsentPeer, findEngines, IMAGE, isAbsent, isPeer, run } from '../peers.js'
import { compile, Timer } from '../programs.js'

const BYTES = 100 * 100 * 20_480
/** 10,000 files of 20 KiB of noise in 100 directories, 205 MB. */
const CHANGE =
  'mkdir /d; i=0; while [ $i -lt 100 ]; do mkdir /d/$i; ' +
  'head -c 2048000 /dev/urandom | split -a 2 -b 20480 - /d/$i/f; i=$((i+1)); done'

const OURS = 'jubako from Node: commit'
const SNAPSHOT = 'jubako from Node: snapshot'
const BRANCH = 'jubako from Node: a container on it'
const SHA = 'OpenSSL: sha256 of as many bytes'
const NAME = 'jubako-bench-commit'

function ours(engine: Engine, image: string): Subject[] {
  const changed = async (): Promise<Container> => {
    const container = await engine.create(image, ['sh', '-c', CHANGE], { network: 'none' })
    await container.start()
    const { exitCode } = await container.wait()
    if (exitCode !== 0) throw new Error(`the container ended with ${exitCode}`)
    await tool('sync', [])
    return container
  }
  return [
    {
      name: OURS,
      run: async () => {
        const container = await changed()
        let id = ''
        const time = await timed(async () => {
          id = (await container.commit()).imageId
        })
        await container.remove({ force: true })
        await engine.removeImage(id)
        return time
      },
    },
    {
      name: SNAPSHOT,
      run: async () => {
        const container = await changed()
        let snapshot: Awaited<ReturnType<Container['snapshot']>> | undefined
        const frozen = await timed(async () => {
          snapshot = await container.snapshot()
        })
        let branch: Container | undefined
        const made = await timed(async () => {
          branch = await engine.create(snapshot!, ['true'], { network: 'none' })
        })
        await branch!.remove({ force: true })
        await container.remove({ force: true })
        await engine.snapshots.remove(snapshot!.key)
        return { [SNAPSHOT]: frozen, [BRANCH]: made }
      },
    },
  ]
}

function peer(name: string, timer: Timer): Subject {
  return {
    name: `${name} commit`,
    every: 2,
    run: async (round) => {
      const image = `localhost/${NAME}:${round + 100}`
      await tool('sync', [])
      const time = await timer.time(
        [name, 'commit', '-q', NAME, image].filter((word) => name !== 'docker' || word !== '-q'),
      )
      run([name, 'rmi', image])
      return time
    },
  }
}

function goals(samples: readonly Sample[], peers: readonly string[]): Goal[] {
  const of = (name: string) => median(pick(samples, name).times)
  const [commit, sha, branch] = [of(OURS), of(SHA), of(SNAPSHOT) + of(BRANCH)]
  const found: Goal[] = [
    {
      text: 'commit: at most 2.5 times one sha256 of the bytes',
      measured: `${(commit / sha).toFixed(2)} times`,
      reached: commit <= 2.5 * sha,
    },
    {
      text: 'a snapshot and a container on it: at most 10 ms',
      measured: `${branch.toFixed(1)} ms`,
      reached: branch <= 10,
    },
  ]
  if (peers.includes('docker')) {
    const ratio = of('docker commit') / commit
    const text = 'commit: at least 20 times as fast as docker'
    found.unshift({ text, measured: `${ratio.toFixed(1)} times as fast`, reached: ratio >= 20 })
  }
  return found
}

/** A stopped container's changes made an image, and frozen. */
export async function commitSection({ work, rounds, log }: BenchContext): Promise<SectionResult> {
  const place = join(work, 'commit')
  mkdirSync(place)
  const archive = await (await debianImage()).dockerArchive()
  const engine = (await openEngine(place)) as unknown as Engine
  const timer = new Timer(compile('timer', place))
  const engines = findEngines(archive)
  const peers: string[] = []
  const absent: AbsentPeer[] = engines.filter(isAbsent)
  try {
    for (const { name } of engines.filter(isPeer)) {
      const program = name.split(' ')[0]!
      run([program, 'rm', '-f', NAME])
      const made = run([program, 'run', '--name', NAME, '--network', 'none', IMAGE, 'sh', '-c', CHANGE])
      if (made.ok) peers.push(program)
      else absent.push({ name: program, reason: made.complaint })
    }
    log(`commits by: ${['jubako', ...peers].join(', ')}`)
    const [loaded] = await engine.load(archive)
    const bytes = randomBytes(BYTES)
    const subjects: Subject[] = [
      ...ours(engine, loaded!.references[0] ?? loaded!.imageId),
      ...peers.map((name) => peer(name, timer)),
      { name: SHA, run: () => timed(async () => createHash('sha256').update(bytes).digest()) },
    ]
    const samples = await interleave(subjects, Math.min(rounds, Math.max(4, Math.ceil(rounds / 15))), 0)
    return {
      title: 'Commit of 10,000 changed files',
      method:
        'A stopped Debian container that has written 205 MB in 10,000 files. The snapshot freezes the same; the container on ' +
        'it is made, not started. The bytes that OpenSSL hashes are in memory.',
      samples,
      ratioTo: [SHA],
      goals: goals(samples, peers),
      absent,
    }
  } finally {
    await timer.close()
    for (const name of peers) run([name, 'rm', '-f', NAME])
    for (const each of engines.filter(isPeer)) each.close()
    await engine.close()
    rmSync(place, { recursive: true, force: true })
  }
}
