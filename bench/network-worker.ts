/**
 * jubako in a network namespace of its own: one line in, one line of JSON out. `start`: a container with a published port
 * from start to exit, in nanoseconds; `many N`: the times of N that all stay, in milliseconds.
 */
import { createInterface } from 'node:readline'
import type { RunOptions } from '../src/engine/types.js'
import { loadBusybox, openEngine } from './jubako.js'

const [work = ''] = process.argv.slice(2)
const engine = await openEngine(work)
const image = await loadBusybox(engine)
const options: RunOptions = { network: 'bridge', ports: [{ containerPort: 80, hostPort: 18080 }] }

async function start(): Promise<number> {
  const from = process.hrtime.bigint()
  const container = await engine.run(image, ['/bin/true'], options)
  const { exitCode } = await container.wait()
  const taken = Number(process.hrtime.bigint() - from)
  await container.close()
  if (exitCode !== 0) throw new Error(`/bin/true ended with ${exitCode}`)
  return taken
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

for await (const line of createInterface({ input: process.stdin })) {
  const [word, count] = line.split(' ')
  console.log(JSON.stringify(word === 'many' ? await many(Number(count)) : await start()))
}
await engine[Symbol.asyncDispose]()
