/**
 * Program: a Node process of its own that starts containers when asked. Arguments: work directory, MiB of ballast.
 * Each message `start` is answered with the nanoseconds and the longest time the event loop stood still.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { loadBusybox, openEngine, startOnce } from './jubako.js'

export interface WorkerAnswer {
  reaped: number
  /** Milliseconds: the longest gap between two turns of the event loop. */
  blocked: number
  /** Milliseconds, as monitorEventLoopDelay has it, less its resolution. */
  delay: number
}

/** A heap as a large application has it: many objects that point at each other. */
function makeBallast(mebibytes: number): unknown[] {
  const ballast: unknown[] = []
  while (process.memoryUsage().heapUsed < mebibytes * 2 ** 20) {
    const part = Array.from({ length: 1000 }, (_, index) => ({
      index,
      name: `object ${index}`,
      previous: ballast.at(-1),
    }))
    ballast.push(part)
  }
  return ballast
}

/** Turns the event loop as fast as it goes and notes the longest turn. */
function watchLoop(): () => number {
  let longest = 0
  let last = performance.now()
  let running = true
  const turn = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(turn)
  }
  setImmediate(turn)
  return () => {
    running = false
    return longest
  }
}

const [work = '', ballastMiB = '0'] = process.argv.slice(2)
const ballast = makeBallast(Number(ballastMiB))
const engine = await openEngine(work)
const image = await loadBusybox(engine)
process.on('message', async (message) => {
  if (message !== 'start') {
    await engine[Symbol.asyncDispose]()
    process.disconnect()
    return
  }
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  const stop = watchLoop()
  const { reaped } = await startOnce(engine, image)
  histogram.disable()
  const answer: WorkerAnswer = { reaped, blocked: stop(), delay: Math.max(0, histogram.max / 1e6 - 1) }
  process.send?.(answer)
})
process.send?.({ ready: ballast.length })
