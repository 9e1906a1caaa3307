/**
 * jubako in a network namespace of its own, which stands for the host: one line in, one line of JSON out.
 *
 * - `start`: a container with a published port, nanoseconds until its exit is known and until all of it is removed
 * - `many N`: milliseconds of the start of N containers that all stay
 * - `load ADDRESS MS`: requests per second through a published port, from the host
 * - `ask MS`: look-ups per second of a container's name, median and 99th percentile in microseconds
 */
import { execFileSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { Container, RunOptions } from '../src/engine/types.js'
import { type BenchEngine, loadBusybox, openEngine } from './jubako.js'

const CONNECTIONS = '16'
const PORT = 18_081

const [work = '', program = ''] = process.argv.slice(2)
const engine: BenchEngine = await openEngine(work)
const image = await loadBusybox(engine)
const mounts: NonNullable<RunOptions['mounts']> = [
  { type: 'bind', source: program, target: '/traffic', readonly: true },
]

async function start(): Promise<{ exited: number; removed: number }> {
  const options: RunOptions = { network: 'bridge', ports: [{ containerPort: 80, hostPort: 18_080 }] }
  const from = process.hrtime.bigint()
  const container = await engine.run(image, ['/bin/true'], options)
  const { exitCode } = await container.wait()
  const exited = Number(process.hrtime.bigint() - from)
  await container.close()
  const removed = Number(process.hrtime.bigint() - from)
  if (exitCode !== 0) throw new Error(`/bin/true ended with ${exitCode}`)
  return { exited, removed }
}

async function many(count: number): Promise<number[]> {
  const alive: AsyncDisposable[] = []
  const times: number[] = []
  for (let at = 0; at < count; at++) {
    const from = performance.now()
    alive.push(await engine.run(image, ['sleep', '3600'], { network: 'bridge' }))
    times.push(performance.now() - from)
  }
  await Promise.all(alive.map((container) => container[Symbol.asyncDispose]()))
  return times
}

let servers: Promise<Container[]> | undefined

/** One in the default network with a published port, one with a name. */
async function startServers(): Promise<Container[]> {
  await engine.networks.create('names')
  const command = ['/traffic', 'serve', '80']
  return Promise.all([
    engine.run(image, command, { network: 'bridge', ports: [{ containerPort: 80, hostPort: PORT }], mounts }),
    engine.run(image, command, { network: 'names', name: 'web', mounts }),
  ])
}

async function load(address: string, milliseconds: string): Promise<number> {
  servers ??= startServers()
  await servers
  const at = address === 'gateway' ? '172.17.0.1' : address
  for (let attempt = 0; ; attempt++) {
    try {
      return Number(execFileSync(program, ['load', at, `${PORT}`, CONNECTIONS, milliseconds], { encoding: 'utf8' }))
    } catch (error) {
      if (attempt > 20) throw error
    }
  }
}

async function ask(milliseconds: string): Promise<number[]> {
  servers ??= startServers()
  await servers
  await using asker = await engine.run(image, ['/traffic', 'ask', 'web', milliseconds], { network: 'names', mounts })
  const [out] = await Promise.all([text(asker.stdout as NodeJS.ReadableStream), asker.wait()])
  return out.trim().split(' ').map(Number)
}

const answers: Record<string, (...words: string[]) => Promise<unknown>> = {
  start,
  many: (count) => many(Number(count)),
  load,
  ask,
}
for await (const line of createInterface({ input: process.stdin })) {
  const [word = '', ...words] = line.split(' ')
  console.log(JSON.stringify(await answers[word]!(...words)))
}
for (const server of (await servers) ?? []) await server[Symbol.asyncDispose]()
await engine[Symbol.asyncDispose]()
