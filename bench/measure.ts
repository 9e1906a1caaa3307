/** Rounds in which every subject runs once, in an order that changes, so that the machine's moods hit all alike. */

/** Something that can be timed. Returns nanoseconds, or several named times of one run. */
export interface Subject {
  name: string
  /** Runs in every n-th round only, for slow ones. Default 1. */
  every?: number
  run(round: number): Promise<number | Record<string, number>>
}

export interface Sample {
  name: string
  /** Milliseconds, in the order of the rounds. */
  times: number[]
}

export interface Summary {
  name: string
  runs: number
  median: number
  p90: number
  min: number
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  if (sorted.length === 0) return Number.NaN
  const at = (sorted.length - 1) * q
  const [low, high] = [sorted[Math.floor(at)] ?? 0, sorted[Math.ceil(at)] ?? 0]
  return low + (high - low) * (at - Math.floor(at))
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export function summarize({ name, times }: Sample): Summary {
  return { name, runs: times.length, median: median(times), p90: quantile(times, 0.9), min: Math.min(...times) }
}

function shuffled<T>(items: readonly T[]): T[] {
  const order = [...items]
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const [a, b] = [order[i] as T, order[j] as T]
    order[i] = b
    order[j] = a
  }
  return order
}

/**
 * Times the subjects, `rounds` times each, interleaved.
 *
 * @param warmups Rounds before that are thrown away.
 */
export async function interleave(subjects: readonly Subject[], rounds: number, warmups = 2): Promise<Sample[]> {
  const samples = new Map<string, number[]>()
  const add = (name: string, nanoseconds: number) => {
    samples.set(name, [...(samples.get(name) ?? []), nanoseconds / 1e6])
  }
  for (let round = -warmups; round < rounds; round++) {
    for (const subject of shuffled(subjects)) {
      if (round >= 0 && round % (subject.every ?? 1) !== 0) continue
      const result = await subject.run(round)
      if (round < 0) continue
      if (typeof result === 'number') add(subject.name, result)
      else for (const [part, value] of Object.entries(result)) add(part, value)
    }
  }
  return [...samples].map(([name, times]) => ({ name, times }))
}

/** Nanoseconds that `act` takes. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint()
  await act()
  return Number(process.hrtime.bigint() - start)
}
