import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { busyboxImage } from '../../test/fixtures/images.js'
import { CHECKOUT } from '../../test/helpers/checkout.js'
import { TOOL_ENV } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { cli } from '../jubako.js'
import { interleave, median, type Sample } from '../measure.js'
import { type PeerTraffic, peerTraffic } from '../peer-traffic.js'
import { type AbsentPeer, findEngines, isAbsent, isPeer, type Peer } from '../peers.js'
import { compile, Timer } from '../programs.js'

const EXITED = 'jubako from Node, to the exit'
const REMOVED = 'jubako from Node, to the removal'
const SHELL = 'jubako run --rm -p'
const MANY = 200
const SLICE_MS = 300
const TRAFFIC_ROUNDS = 12

/** A network namespace with nothing but a loopback device stands for jubako's host. */
const OWN_HOST = [
  'unshare',
  '--net',
  'setpriv',
  '--pdeathsig',
  'KILL',
  'sh',
  '-c',
  'ip link set lo up && exec "$0" "$@"',
]

/** The worker, one answer per question. */
function openWorker(...words: string[]) {
  const [first = '', ...more] = [
    ...OWN_HOST,
    process.execPath,
    join(CHECKOUT, 'dist/bench/network-worker.js'),
    ...words,
  ]
  const child = spawn(first, more, { env: TOOL_ENV, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise((settle) => child.on('close', settle))
  return {
    ask: async <T>(question: string): Promise<T> => {
      child.stdin.write(`${question}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error('the worker ended')
      return JSON.parse(value) as T
    },
    close: async () => {
      child.stdin.end()
      await ended
    },
  }
}

type Worker = ReturnType<typeof openWorker>

/** What was heard in the rounds: requests per second; look-ups per second, median and 99th percentile. */
interface Heard {
  requests: number[]
  loopback: number[]
  lookups: number[][]
}

const middle = (values: readonly number[][], at: number): number => median(values.map((one) => one[at] ?? Number.NaN))

async function listen(worker: Worker, peers: readonly PeerTraffic[]): Promise<Map<string, Heard>> {
  const all = new Map<string, Heard>()
  for (const name of ['jubako', ...peers.map((peer) => peer.name)])
    all.set(name, { requests: [], loopback: [], lookups: [] })
  const ours = all.get('jubako')!
  for (let round = -1; round < TRAFFIC_ROUNDS; round++) {
    const requests = await worker.ask<number>(`load gateway ${SLICE_MS}`)
    const loopback = await worker.ask<number>(`load 127.0.0.1 ${SLICE_MS}`)
    const lookups = await worker.ask<number[]>(`ask ${SLICE_MS}`)
    if (round >= 0) {
      ours.requests.push(requests)
      ours.loopback.push(loopback)
      ours.lookups.push(lookups)
    }
    for (const peer of peers) {
      const [load, ask] = [peer.load(SLICE_MS), peer.ask(SLICE_MS)]
      if (round < 0) continue
      all.get(peer.name)!.requests.push(load)
      all.get(peer.name)!.lookups.push(ask)
    }
  }
  return all
}

function trafficTable(all: Map<string, Heard>): string[][] {
  const number = (value: number) => (Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en'))
  return [
    ['', 'requests/s', 'at 127.0.0.1', 'look-ups/s', 'median (µs)', '99 % (µs)'],
    ...[...all].map(([name, { requests, loopback, lookups }]) => [
      name,
      number(median(requests)),
      number(median(loopback)),
      ...[0, 1, 2].map((at) => number(middle(lookups, at))),
    ]),
  ]
}

function trafficGoals(all: Map<string, Heard>): Goal[] {
  const ours = all.get('jubako')!
  const goals: Goal[] = []
  const docker = all.get('docker')
  if (docker !== undefined) {
    const ratio = median(ours.requests) / median(docker.requests)
    const text = "requests per second through a published port at least docker's with no proxy in between, within 5 %"
    // Two ways through the same kernel: what differs by less is the machine's mood.
    goals.push({ text, measured: `${ratio.toFixed(2)} times`, reached: ratio >= 0.95 })
  }
  const podman = all.get('podman')
  if (podman !== undefined) {
    const ratio = middle(ours.lookups, 0) / middle(podman.lookups, 0)
    const text = "look-ups per second at least podman's"
    goals.push({ text, measured: `${ratio.toFixed(2)} times`, reached: ratio >= 1 })
  }
  const late = middle(ours.lookups, 2)
  goals.push({ text: 'local names within 1 ms', measured: `99 % within ${late.toFixed(0)} µs`, reached: late <= 1000 })
  return goals
}

function startGoals(samples: Sample[], times: readonly number[]): Goal[] {
  const ours = median(pick(samples, REMOVED).times)
  const compared = (['podman', 'docker'] as const).flatMap((name): Goal[] => {
    const sample = samples.find((candidate) => candidate.name.startsWith(name))
    if (sample === undefined) return []
    const factor = name === 'podman' ? 15 : 30
    const ratio = median(sample.times) / ours
    const text = `from Node at least ${factor} times as fast as ${name}, the removal included`
    return [{ text, measured: `${ratio.toFixed(1)} times as fast`, reached: ratio >= factor }]
  })
  const growth = median(times.slice(-20)) / median(times.slice(0, 20))
  const text = `the ${MANY}th networked container starts within 1.3 times the first`
  return [...compared, { text, measured: `${growth.toFixed(2)} times (medians of 20)`, reached: growth <= 1.3 }]
}

/** The peers with a published port instead of no network. */
function published(peer: Peer, at: number): (round: number) => string[] {
  const publish = `127.0.0.1:${18_091 + at}:80`
  return (round) => peer.command(round).flatMap((word) => (word === '--network=none' ? ['-p', publish] : [word]))
}

function openPeers(peers: readonly Peer[], program: string): { open: PeerTraffic[]; absent: AbsentPeer[] } {
  const open: PeerTraffic[] = []
  const absent: AbsentPeer[] = []
  for (const [at, { name }] of peers.entries()) {
    const engine = name.split(' ')[0]!
    try {
      open.push(peerTraffic(engine, program, 18_101 + at))
    } catch (error) {
      absent.push({ name: `traffic with ${engine}`, reason: String(error) })
    }
  }
  return { open, absent }
}

/** A container on the default bridge with a published port, traffic through it, and names. */
export async function networkSection({ work, rounds, log }: BenchContext): Promise<SectionResult> {
  const program = compile('traffic', work)
  const worker = openWorker(join(work, 'store'), program)
  const timerProgram = compile('timer', work)
  const [timer, own] = [new Timer(timerProgram), new Timer(timerProgram, OWN_HOST)]
  const engines = findEngines(await (await busyboxImage()).dockerArchive())
  const peers = engines.filter(isPeer)
  let traffic: PeerTraffic[] = []
  try {
    const shell = join(work, 'shell-store')
    await own.time(cli(shell, 'load', '-q', '-i', await (await busyboxImage()).dockerArchive()))
    const image = 'busybox-gzip'
    const samples = await interleave(
      [
        {
          name: EXITED,
          run: async () => {
            const { exited, removed } = await worker.ask<{ exited: number; removed: number }>('start')
            return { [EXITED]: exited, [REMOVED]: removed }
          },
        },
        { name: SHELL, run: () => own.time(cli(shell, 'run', '--rm', '-p', '127.0.0.1:18082:80', image, '/bin/true')) },
        ...peers.map((peer, at) => {
          const command = published(peer, at)
          const run = (round: number) => timer.time(command(round))
          return { name: peer.name.replace('--network none', '-p'), every: 2, run }
        }),
      ],
      Math.max(4, Math.ceil(rounds / 4)),
    )
    const times = await worker.ask<number[]>(`many ${MANY}`)
    const opened = openPeers(peers, program)
    traffic = opened.open
    log(`traffic: jubako ${traffic.map(({ name }) => name).join(' ')}`)
    const heard = await listen(worker, traffic)
    return {
      title: 'Networks',
      method:
        '`/bin/true` (busybox) on the default bridge with a published TCP port; the peers and `run --rm` are whole command ' +
        'lines. Then one server and 16 connections from the host that each ask for 64 bytes again and again, at the ' +
        "address of the engine's bridge, where docker's rules lead without its userland proxy; and look-ups of a " +
        `container's name in another container, one at a time. ${TRAFFIC_ROUNDS} rounds of ${SLICE_MS} ms each. jubako runs ` +
        'in a network namespace that stands for the host.',
      samples,
      ratioTo: [REMOVED, SHELL],
      table: trafficTable(heard),
      goals: [...startGoals(samples, times), ...trafficGoals(heard)],
      absent: [...engines.filter(isAbsent), ...opened.absent],
    }
  } finally {
    for (const peer of traffic) peer.close()
    await worker.close()
    await Promise.all([timer.close(), own.close()])
    for (const peer of peers) peer.close()
  }
}
