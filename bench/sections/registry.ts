import { createHash, randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startRegistry } from '../../test/fixtures/registry.js'
import { CHECKOUT } from '../../test/helpers/checkout.js'
import { spawnBound } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { cli, loadBusybox, openEngine } from '../jubako.js'
import { interleave, median, type Sample, type Subject, timed } from '../measure.js'
import { type AbsentPeer, run } from '../peers.js'
import { compile, LineProgram } from '../programs.js'

const BLOB = 100e6
const LARGE = 1e9
const REQUESTS = 1000
const CONNECTIONS = [1, 16]
const NAME = 'bench/app'
const TYPE = 'application/vnd.oci.image.manifest.v1+json'
const SIZES = [1, 512]
const OWN_ROUNDS = 20

const push = (connections: number) => `push of 100 MB, ${connections} at a time`
const pull = (connections: number) => `pull of 100 MB, ${connections} at a time`
const ask = (connections: number) => `${REQUESTS} manifests, ${connections} at a time`

interface Registry {
  name: string
  port: number
  pid: number
  close(): Promise<void>
}

/** `jubako registry serve`, as a user starts it, but for its log: the other one writes none either. */
async function serve(words: readonly string[]): Promise<Registry> {
  const [first = '', ...rest] = words
  const child = spawnBound(first, [...rest, '--addr', '127.0.0.1:0', '--access-log', 'none'])
  child.stderr.pipe(process.stderr)
  const ended = new Promise<void>((settle) => child.on('close', () => settle()))
  for await (const line of createInterface(child.stdout)) {
    const port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1])
    const close = async () => {
      child.kill('SIGTERM')
      await ended
    }
    return { name: 'jubako', port, pid: child.pid!, close }
  }
  throw new Error('jubako registry serve ended')
}

async function serveDocker(): Promise<Registry | AbsentPeer> {
  if (!run(['docker-registry', '--version']).ok) return { name: 'docker-registry', reason: 'not installed' }
  const { address, pid, close } = await startRegistry({ program: 'docker-registry' })
  return { name: 'docker-registry', port: Number(address.split(':')[1]), pid, close }
}

/** Most bytes that a process had in memory. */
const peak = (pid: number): number =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

/** A blob that nobody has seen before, on a disk that has nothing to do. */
class Blob {
  readonly path: string
  digest = ''

  constructor(
    directory: string,
    name: string,
    readonly size: number,
  ) {
    this.path = join(directory, name)
    const piece = randomBytes(1e6)
    const fd = openSync(this.path, 'w')
    for (let at = 0; at < size; at += piece.length) writeSync(fd, piece)
    closeSync(fd)
    this.renew()
  }

  renew(): void {
    const fd = openSync(this.path, 'r+')
    writeSync(fd, randomBytes(16), 0, 16, 0)
    const hash = createHash('sha256')
    const piece = Buffer.alloc(1e6)
    for (let at = 0; at < this.size; at += piece.length) {
      readSync(fd, piece, 0, piece.length, at)
      hash.update(piece)
    }
    closeSync(fd)
    this.digest = `sha256:${hash.digest('hex')}`
    run(['sync'])
  }
}

class Client {
  constructor(
    readonly registry: Registry,
    private readonly program: LineProgram,
  ) {}

  async #time(what: string, ...words: (string | number)[]): Promise<number> {
    return Number(await this.program.ask([what, this.registry.port, NAME, ...words].join(' ')))
  }

  push = ({ path, digest }: Blob, connections = 1) => this.#time('push', path, digest, connections)
  pull = ({ digest, size }: Blob, connections = 1) => this.#time('pull', digest, size, connections)
  manifests = (connections: number) => this.#time('manifests', 'latest', connections, REQUESTS)

  /** An image of that one layer, of which the manifest is asked for. */
  async tag({ digest, size }: Blob): Promise<void> {
    const url = `http://127.0.0.1:${this.registry.port}/v2/${NAME}`
    const config = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    const configDigest = `sha256:${createHash('sha256').update(config).digest('hex')}`
    const begun = await fetch(`${url}/blobs/uploads/`, { method: 'POST' })
    const place = new URL(begun.headers.get('location')!, url)
    place.searchParams.set('digest', configDigest)
    const kept = await fetch(place, { method: 'PUT', body: config })
    const manifest = {
      schemaVersion: 2,
      mediaType: TYPE,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: config.length },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size }],
    }
    const headers = { 'Content-Type': TYPE }
    const put = await fetch(`${url}/manifests/latest`, { method: 'PUT', body: JSON.stringify(manifest), headers })
    if (kept.status !== 201 || put.status !== 201) throw new Error(`${this.registry.name}: ${await put.text()}`)
  }
}

function subjects(clients: readonly Client[], blobs: ReadonlyMap<Client, Blob>): Subject[] {
  return clients.flatMap((client) => {
    const { name } = client.registry
    const blob = blobs.get(client)!
    const transfer = (connections: number) => async () => {
      blob.renew()
      const pushed = await client.push(blob, connections)
      return {
        [`${name}: ${push(connections)}`]: pushed,
        [`${name}: ${pull(connections)}`]: await client.pull(blob, connections),
      }
    }
    return [
      ...CONNECTIONS.map((count) => ({
        name: `${name}: ${push(count)}`,
        every: count === 1 ? 2 : 6,
        run: transfer(count),
      })),
      ...CONNECTIONS.map((count) => ({ name: `${name}: ${ask(count)}`, run: () => client.manifests(count) })),
    ]
  })
}

function speedGoals(samples: readonly Sample[]): Goal[] {
  const of = (name: string) => median(pick(samples, name).times)
  return [...CONNECTIONS.flatMap((count) => [push(count), pull(count)]), ...CONNECTIONS.map(ask)].map((what) => {
    const ratio = of(`docker-registry: ${what}`) / of(`jubako: ${what}`)
    const text = `${what}: never slower than docker-registry`
    return { text, measured: `${ratio.toFixed(2)} times as fast`, reached: ratio >= 1 }
  })
}

/** This machine's engine pushes into the registry that serves its own store. */
async function ownPushes(work: string): Promise<{ samples: Sample[]; goals: Goal[] }> {
  const store = join(work, 'own')
  const engine = (await openEngine(store)) as unknown as import('../../src/engine/engine.js').Engine
  const registry = await serve(cli(store, 'registry', 'serve'))
  try {
    const base = await loadBusybox(engine)
    const context = join(work, 'context')
    mkdirSync(context)
    const samples: Sample[] = []
    for (const size of SIZES) {
      const noise = `dd if=/dev/urandom of=/noise bs=1M count=${size}`
      writeFileSync(join(context, 'Dockerfile'), `FROM ${base}\nRUN --network=none ${noise}\n`)
      await engine.build({ context, tags: [`own:${size}`] })
      const times: number[] = []
      for (let round = 0; round < OWN_ROUNDS; round++) {
        const name = `127.0.0.1:${registry.port}/own-${size}:${round}`
        await engine.tag(`own:${size}`, name)
        times.push((await timed(() => engine.push(name))) / 1e6)
      }
      samples.push({ name: `jubako: push of an image of ${size} MiB into its own registry`, times })
    }
    const goals = samples.map(({ name, times }): Goal => {
      const [least, first = Number.NaN] = [median(times), times[0]]
      const measured = `${least.toFixed(1)} ms, the first ${first.toFixed(1)} ms`
      return { text: `${name.replace('jubako: ', '')}: at most 20 ms`, measured, reached: least <= 20 }
    })
    return { samples, goals }
  } finally {
    await registry.close()
    await engine.close()
  }
}

/** The registry, beside Debian's docker-registry. */
export async function registrySection({ work, rounds, log }: BenchContext): Promise<SectionResult> {
  const place = join(work, 'registry')
  mkdirSync(place)
  const program = new LineProgram(compile('registry-client', place), [])
  const docker = await serveDocker()
  const peers = 'port' in docker ? [docker] : []
  const root = join(place, 'root')
  const ours = await serve([join(CHECKOUT, 'bin/jubako'), 'registry', 'serve', '--root', root])
  try {
    const clients = [ours, ...peers].map((registry) => new Client(registry, program))
    const blobs = new Map(clients.map((client) => [client, new Blob(place, client.registry.name, BLOB)]))
    for (const client of clients) {
      await client.push(blobs.get(client)!)
      await client.tag(blobs.get(client)!)
    }
    log(`registries: ${clients.map(({ registry }) => registry.name).join(', ')}`)
    const samples = await interleave(subjects(clients, blobs), Math.max(8, Math.ceil(rounds / 5)), 3)
    const large = new Blob(place, 'large', LARGE)
    const table = [['', 'peak memory (MiB), after all of this', 'after one more blob, of 1 GB']]
    for (const client of clients) {
      const before = peak(client.registry.pid)
      await client.push(large)
      await client.pull(large)
      const after = peak(client.registry.pid)
      table.push([client.registry.name, ...[before, after].map((bytes) => (bytes / 2 ** 20).toFixed(1))])
    }
    const most = peak(ours.pid)
    const memory = {
      text: 'peak memory at most 100 MB',
      measured: `${(most / 1e6).toFixed(1)} MB`,
      reached: most <= 1e8,
    }
    const own = await ownPushes(place)
    return {
      title: 'Registry',
      method:
        'One C client asks both registries in turn, each with a directory of its own on the same disk: a blob that is new to ' +
        `the registry, pushed (POST, PATCH, PUT) and pulled, on one connection and on 16 at the same time; ${REQUESTS} GET ` +
        'requests of a manifest by its tag, as well. docker-registry does not wait for its disk, jubako does. Then pushes of ' +
        'one engine into the registry that another process serves from the same store, each under a new tag.',
      samples: [...samples, ...own.samples],
      table,
      goals: [...(peers.length > 0 ? speedGoals(samples) : []), memory, ...own.goals],
      absent: 'port' in docker ? [] : [docker],
    }
  } finally {
    await program.close()
    await Promise.all([ours, ...peers].map((registry) => registry.close()))
    rmSync(place, { recursive: true, force: true })
  }
}
