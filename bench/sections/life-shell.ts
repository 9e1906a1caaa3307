import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { busyboxImage } from '../../test/fixtures/images.js'
import { TOOL_ENV } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { cli, loadBusybox, openEngine } from '../jubako.js'
import { interleave, median, type Sample, type Subject } from '../measure.js'
import { findEngines, IMAGE, isAbsent, isPeer } from '../peers.js'
import { compile, Timer } from '../programs.js'

const NODE = 'node, empty program'
const LISTED = 200
const COUNTED = 10
const MIB = 2 ** 20

/** One engine's command line, with what was made for the benchmark. */
interface Line {
  name: string
  image: string
  words(...words: string[]): string[]
}

const shell = (...commands: string[][]): string[] => [
  'sh',
  '-c',
  commands.map((words) => words.map((word) => `'${word}'`).join(' ')).join(' && '),
]

const quiet = (words: readonly string[]): void => {
  execFileSync(words[0]!, words.slice(1), { env: TOOL_ENV, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Lines of 100 bytes. */
function writeLines(path: string, mebibytes: number): void {
  const block = Buffer.from(`${'x'.repeat(99)}\n`.repeat(MIB / 100))
  const fd = openSync(path, 'w')
  for (let written = 0; written < mebibytes * MIB; written += block.length) writeSync(fd, block)
  closeSync(fd)
}

const label = 'jubako-bench=life'
const none = '--network=none'

/** Containers that commands are given: one that sleeps, one that has a log, many that wait. */
function prepare({ words, image, name }: Line): void {
  const named = (kind: string) => ['--label', label, '--name', `bench-${kind}`, none]
  quiet(words('run', '-d', ...named('sleeps'), image, 'sleep', '100000'))
  quiet(words('run', '-d', ...named('log'), image, 'sh', '-c', 'for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done'))
  for (let i = 0; i < COUNTED; i++) quiet(words('run', '-d', ...named(`counted-${i}`), image, 'sleep', '100000'))
  // A shell's loop: 200 commands one after the other.
  const create = words('create', '--label', label, none, image, 'true').map((word) => `'${word}'`)
  quiet(['sh', '-c', `for i in $(seq ${LISTED}); do ${create.join(' ')} > /dev/null || exit; done # ${name}`])
}

function cleanUp({ words }: Line): void {
  const list = words('ps', '-aq', '--filter', `label=${label}`).map((word) => `'${word}'`)
  const remove = words('rm', '-f').map((word) => `'${word}'`)
  quiet(['sh', '-c', `${list.join(' ')} | xargs ${remove.join(' ')} > /dev/null`])
}

const counted = Array.from({ length: COUNTED }, (_, i) => `bench-counted-${i}`)

function commands(line: Line, timer: Timer): Subject[] {
  const { name, words, image } = line
  const every = name === 'jubako' ? 1 : 2
  const subject = (what: string, command: string[]): Subject => ({
    name: `${name} ${what}`,
    every,
    run: () => timer.time(command),
  })
  return [
    subject(`ps of ${LISTED}`, words('ps', '-a')),
    subject('logs', words('logs', 'bench-log')),
    subject('inspect', words('inspect', 'bench-sleeps')),
    subject('exec', words('exec', 'bench-sleeps', 'true')),
    subject(`stats of ${COUNTED}`, words('stats', '--no-stream', ...counted)),
    {
      name: `${name} stop, rm`,
      every: every * 2,
      run: async (round) => {
        const one = `bench-ends-${round + 100}`
        const start = words(
          'run',
          '-d',
          '--label',
          label,
          '--name',
          one,
          none,
          '--stop-signal',
          'KILL',
          image,
          'sleep',
          '9',
        )
        await timer.time(start)
        return timer.time(shell(words('stop', one), words('rm', one)))
      },
    },
  ]
}

function throughputs(line: Line, timer: Timer, lines: string): Subject[] {
  const { name, words, image } = line
  const mount = ['-v', `${lines}:/lines:ro`]
  return [
    {
      name: `${name}: to a follower of the log`,
      run: async () => {
        // podman's default may be the journal, which limits rates.
        const driver = name === 'podman' ? ['--log-driver', 'k8s-file'] : []
        const run = words('run', '-d', '--label', label, '--name', 'bench-writes', ...driver, none, ...mount, image)
        const time = await timer.time(shell([...run, 'cat', '/lines'], words('logs', '-f', 'bench-writes')))
        await timer.time(words('rm', '-f', 'bench-writes'))
        return time
      },
    },
    {
      name: `${name}: to who is attached`,
      run: () => timer.time(words('run', '--rm', '--log-driver', 'none', none, ...mount, image, 'cat', '/lines')),
    },
  ]
}

function goals(samples: readonly Sample[], peers: readonly string[]): Goal[] {
  const of = (name: string) => median(pick(samples, name).times)
  const empty = of(NODE)
  const list: Goal[] = []
  for (const what of [`ps of ${LISTED}`, 'logs', 'inspect', 'exec']) {
    const ours = of(`jubako ${what}`)
    list.push({
      text: `\`jubako ${what}\` at most 35 ms over an empty node`,
      measured: `${(ours - empty).toFixed(1)} ms`,
      reached: ours - empty <= 35,
    })
    if (!peers.includes('podman')) continue
    const ratio = of(`podman ${what}`) / ours
    list.push({
      text: `\`jubako ${what}\` never slower than podman`,
      measured: `podman takes ${ratio.toFixed(2)} times as long`,
      reached: ratio >= 1,
    })
  }
  return list
}

/** Rows of MB/s. */
function rates(samples: readonly Sample[], mebibytes: number): string[][] {
  return [
    ['', 'MB/s', 'runs'],
    ...samples.map(({ name, times }) => [
      name,
      ((mebibytes * MIB) / 1000 / median(times)).toFixed(0),
      String(times.length),
    ]),
  ]
}

/** The commands that people use after `run`, against the other engines' command lines. */
export async function lifeShellSection({ work, rounds, log }: BenchContext): Promise<SectionResult> {
  const store = join(work, 'life-store')
  const timer = new Timer(compile('timer', work))
  const engines = findEngines(await (await busyboxImage()).dockerArchive())
  let image = ''
  {
    await using engine = await openEngine(store)
    image = await loadBusybox(engine)
  }
  const peers = engines.filter(isPeer).map(({ name }) => name.split(' ')[0]!)
  const all: Line[] = [
    { name: 'jubako', image, words: (...words) => cli(store, ...words) },
    ...peers.map((name) => ({ name, image: IMAGE, words: (...words: string[]) => [name, ...words] })),
  ]
  // A quick look needs no gigabyte.
  const mebibytes = rounds >= 20 ? 1024 : 64
  const lines = join(work, 'lines')
  try {
    for (const line of all) {
      log(`  ${line.name}: ${LISTED + COUNTED} containers`)
      prepare(line)
    }
    const subjects: Subject[] = [
      { name: NODE, run: () => timer.time([process.execPath, '-e', '0']) },
      ...all.flatMap((line) => commands(line, timer)),
    ]
    const samples = await interleave(subjects, Math.min(12, Math.max(4, Math.ceil(rounds / 4))), 1)
    for (const line of all) cleanUp(line)
    log(`  ${mebibytes} MiB of lines`)
    writeLines(lines, mebibytes)
    const written = await interleave(
      all.flatMap((line) => throughputs(line, timer, lines)),
      1,
      0,
    )
    return {
      title: 'A container’s life, from the shell',
      method: `From the start of the process to its reaped exit. There are ${LISTED + COUNTED + 2} containers, ${COUNTED + 1} of them running. The table: ${mebibytes} MiB of lines of 100 bytes, written by \`cat\`, until everything has arrived in /dev/null; \`logs -f\` of each engine's own file (podman: k8s-file).`,
      samples,
      table: rates(written, mebibytes),
      goals: goals(samples, peers),
      absent: engines.filter(isAbsent),
    }
  } finally {
    for (const line of all) {
      try {
        cleanUp(line)
      } catch {
        // Nothing was left to remove.
      }
    }
    rmSync(lines, { force: true })
    await timer.close()
    for (const peer of engines) if (isPeer(peer)) peer.close()
  }
}
