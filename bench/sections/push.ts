import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startRegistry } from '../../test/fixtures/registry.js'
import { tool } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { cli, removeStore } from '../jubako.js'
import { interleave, median, type Sample } from '../measure.js'
import { type AbsentPeer, run } from '../peers.js'
import { compile, Timer } from '../programs.js'

const FILES = 1000
const FILE_SIZE = 100_000
const OURS = 'jubako push'

interface Pusher {
  name: string
  words(...words: string[]): string[]
  push(reference: string): string[]
}

function pushers(place: string): Pusher[] {
  const ours = (...words: string[]) => cli(join(place, 'jubako'), ...words)
  const storage = ['--root', join(place, 'podman'), '--runroot', join(place, 'podman-run')]
  const podman = (...words: string[]) => ['podman', ...storage, ...words]
  const docker = (...words: string[]) => ['docker', ...words]
  return [
    { name: 'jubako', words: ours, push: (reference) => ours('push', '-q', reference) },
    { name: 'docker', words: docker, push: (reference) => docker('push', '-q', reference) },
    {
      name: 'podman',
      words: podman,
      push: (reference) => podman('push', '-q', '--tls-verify=false', reference),
    },
  ]
}

/** Files that nobody has pushed before, and that pack to about half. */
function renew(context: string): void {
  const text = randomBytes((FILES * FILE_SIZE) / 2).toString('hex')
  for (let i = 0; i < FILES; i++) {
    writeFileSync(join(context, `data/${i}`), text.slice(i * FILE_SIZE, (i + 1) * FILE_SIZE))
  }
}

const build = (by: Pusher, reference: string, context: string) =>
  run(['env', 'DOCKER_BUILDKIT=0', ...by.words('build', '-q', '--no-cache', '-t', reference, context)])

function goals(samples: readonly Sample[], tools: readonly Pusher[]): Goal[] {
  if (!tools.some(({ name }) => name === 'docker')) return []
  const ratio = median(pick(samples, 'docker push').times) / median(pick(samples, OURS).times)
  return [
    {
      text: 'new layers: at least 2 times as fast as docker',
      measured: `${ratio.toFixed(2)} times as fast`,
      reached: ratio >= 2,
    },
  ]
}

/** Pushes of an image that the registry has nothing of. */
export async function pushSection({ work, rounds, log }: BenchContext): Promise<SectionResult> {
  const place = join(work, 'push')
  const context = join(place, 'context')
  mkdirSync(join(context, 'data'), { recursive: true })
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY data /data\nCMD ["none"]\n')
  const registry = await startRegistry({ program: 'docker-registry' })
  const timer = new Timer(compile('timer', place))
  const tools: Pusher[] = []
  const absent: AbsentPeer[] = []
  try {
    renew(context)
    for (const each of pushers(place)) {
      const reference = `${registry.address}/${each.name}:probe`
      const made = build(each, reference, context)
      const pushed = made.ok ? run(each.push(reference)) : made
      run(each.words('rmi', reference))
      if (pushed.ok) tools.push(each)
      else absent.push({ name: each.name, reason: pushed.complaint })
    }
    log(`pushes by: ${tools.map(({ name }) => name).join(', ')}`)
    const subjects = tools.map((each) => ({
      name: `${each.name} push`,
      run: async (round: number) => {
        renew(context)
        const reference = `${registry.address}/${each.name}:${round + 100}`
        const made = build(each, reference, context)
        if (!made.ok) throw new Error(`${each.name} build: ${made.complaint}`)
        await tool('sync', [])
        const time = await timer.time(each.push(reference))
        run(each.words('rmi', reference))
        return time
      },
    }))
    const samples = await interleave(subjects, Math.min(rounds, Math.max(3, Math.ceil(rounds / 15))), 0)
    return {
      title: 'Push of new layers',
      method:
        `An image of one new layer with ${FILES} files, ${(FILES * FILE_SIZE) / 1e6} MB that pack to about half, built by each ` +
        'itself and sent by its command line to one docker-registry on this machine. Everybody compresses the layer for it.',
      samples,
      ratioTo: [OURS],
      goals: goals(samples, tools),
      absent,
    }
  } finally {
    await timer.close()
    await registry.close()
    removeStore(join(place, 'jubako'))
    run(['podman', '--root', join(place, 'podman'), '--runroot', join(place, 'podman-run'), 'rmi', '-af'])
    rmSync(place, { recursive: true, force: true })
  }
}
