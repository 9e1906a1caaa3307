import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { busyboxImage } from '../../test/fixtures/images.js'
import { TOOL_ENV } from '../../test/helpers/processes.js'
import { ApiClient } from '../api-client.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { cli } from '../jubako.js'
import { interleave, median, type Sample, type Subject, timed } from '../measure.js'
import { findEngines, IMAGE, isAbsent, isPeer, type Peer, run } from '../peers.js'

const CREATED = 180
const RUNNING = 20
const MEBIBYTES = 64
const IDLE_MS = 5000

const LIFE = 'create, start, wait, delete'
const BRIDGED = 'the same on the default bridge'
const LIST = `list ${CREATED + RUNNING} containers`
const EXEC = 'exec'
const ATTACH = `attach, ${MEBIBYTES} MiB`
const UNLOGGED = `attach, ${MEBIBYTES} MiB, log driver none`

/** What each is measured by, and how many times as fast as docker it is to be. */
const GOALS: readonly [what: string, factor: number][] = [
  [LIFE, 10],
  [BRIDGED, 10],
  [LIST, 3],
  [EXEC, 5],
  [ATTACH, 1],
  [UNLOGGED, 1],
]

/** A network namespace with nothing but a loopback device stands for the host. */
const SERVE = 'ip link set lo up && exec "$0" "$@"'

async function serve(work: string, socket: string): Promise<ChildProcess> {
  const words = cli(work, 'serve', '-H', `unix://${socket}`)
  const own = ['--net', 'setpriv', '--pdeathsig', 'KILL', 'sh', '-c', SERVE]
  const child = spawn('unshare', [...own, ...words], { env: TOOL_ENV, stdio: ['ignore', 'ignore', 'inherit'] })
  for (const end = Date.now() + 20_000; !existsSync(socket); ) {
    if (Date.now() > end || child.exitCode !== null) throw new Error('jubako serve does not listen')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return child
}

/** Resident bytes, and how often the process woke while nothing was asked of it. */
async function idle(pid: number): Promise<{ resident: number; wakes: number }> {
  const status = () => readFileSync(`/proc/${pid}/status`, 'utf8')
  const switches = () => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status())?.[1])
  const before = switches()
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
  return { resident: Number(/VmRSS:\s+(\d+) kB/.exec(status())?.[1]) * 1024, wakes: switches() - before }
}

const writer = [
  'sh',
  '-c',
  `yes "a line of the output of a container, as long as lines are" | head -c ${MEBIBYTES * 2 ** 20}`,
]

function subjects(clients: readonly ApiClient[], execs: ReadonlyMap<ApiClient, string>): Subject[] {
  const one = (client: ApiClient, what: string, act: () => Promise<unknown>, every = 1): Subject => ({
    name: `${client.name}: ${what}`,
    every,
    run: () => timed(act),
  })
  const attach = async (client: ApiClient, log: string) => {
    const size = await client.attach(writer, log)
    if (size < MEBIBYTES * 2 ** 20) throw new Error(`${client.name}: ${size} bytes came`)
  }
  return clients.flatMap((client) => [
    one(client, LIFE, () => client.life('none')),
    one(client, BRIDGED, () => client.life('bridge')),
    one(client, LIST, () => client.ask('GET', '/containers/json?all=1')),
    one(client, EXEC, () => client.exec(execs.get(client)!)),
    one(client, ATTACH, () => attach(client, 'json-file'), 4),
    one(client, UNLOGGED, () => attach(client, 'none'), 4),
  ])
}

function goals(samples: readonly Sample[], cost: { resident: number; wakes: number }): Goal[] {
  const of = (name: string) => median(pick(samples, name).times)
  const compared = samples.some(({ name }) => name.startsWith('docker:'))
  const speed = GOALS.flatMap(([what, factor]) => {
    if (!compared) return []
    const ratio = of(`docker: ${what}`) / of(`jubako: ${what}`)
    const text =
      factor === 1 ? `${what}: at least as fast as docker` : `${what}: at least ${factor} times as fast as docker`
    return [{ text, measured: `${ratio.toFixed(2)} times as fast`, reached: ratio >= factor }]
  })
  const mebibytes = cost.resident / 2 ** 20
  return [
    ...speed,
    { text: 'idle, at most 60 MiB resident', measured: `${mebibytes.toFixed(1)} MiB`, reached: mebibytes <= 60 },
    {
      text: `idle, no wake-ups in ${IDLE_MS / 1000} s`,
      measured: `${cost.wakes}`,
      reached: cost.wakes === 0,
    },
  ]
}

/** Where the installed docker listens. */
const dockerSocket = () => (process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace('unix://', '')

/** The Docker Engine API, jubako's and docker's, asked by one client. */
export async function apiSection({ work, rounds, log }: BenchContext): Promise<SectionResult> {
  const archive = await (await busyboxImage()).dockerArchive()
  const engines = findEngines(archive).filter(({ name }) => name.startsWith('docker'))
  const peers = engines.filter(isPeer) as Peer[]
  const store = join(work, 'api')
  const socket = join(work, 'api.sock')
  run(cli(store, 'load', '-q', '-i', archive))
  const child = await serve(store, socket)
  const clients = [
    new ApiClient('jubako', socket, 'busybox-gzip'),
    ...peers.map(() => new ApiClient('docker', dockerSocket(), IMAGE)),
  ]
  const made: [ApiClient, string][] = []
  try {
    const execs = new Map<ApiClient, string>()
    for (const client of clients) {
      for (let at = 0; at < CREATED + RUNNING; at++) {
        const id = await client.create(['sleep', '100000'], { Labels: { bench: 'api' } })
        made.push([client, id])
        if (at < RUNNING) await client.start(id)
        execs.set(client, execs.get(client) ?? id)
      }
      log(`${client.name}: ${CREATED + RUNNING} containers`)
    }
    const samples = await interleave(subjects(clients, execs), Math.max(8, Math.ceil(rounds / 4)))
    const cost = await idle(child.pid!)
    return {
      title: 'Docker Engine API',
      method:
        '`jubako serve` and dockerd, asked by the same Node client over their sockets: the requests of one container ' +
        `(\`/bin/true\` of busybox) from its creation to its removal; a list of ${CREATED} containers that were created ` +
        `and ${RUNNING} that run; an exec from its creation over the end of its output to its exit code; the output of a ` +
        'container that writes lines, attached before its start.',
      samples,
      goals: goals(samples, cost),
      absent: engines.filter(isAbsent),
    }
  } finally {
    await Promise.all(made.map(([client, id]) => client.remove(id).catch((error) => log(String(error)))))
    for (const client of clients) client.close()
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('close', resolve))
    for (const peer of peers) peer.close()
  }
}
