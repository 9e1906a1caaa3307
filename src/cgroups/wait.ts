import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Tries `attempt` at once and then ever less often, from every millisecond to every 50 ms.
 *
 * @returns false when `milliseconds` went by and no attempt was true.
 */
export async function until(attempt: () => boolean, milliseconds: number): Promise<boolean> {
  const end = performance.now() + milliseconds
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    if (attempt()) return true
    if (performance.now() >= end) return false
    await sleep(pause)
  }
}

/** A killed process can take this long to leave when its memory is large or its disk slow. */
export const killTimeout = 10_000
/** A process that cannot be frozen is in an uninterruptible wait; the kernel freezes it when that ends. */
export const freezeTimeout = 10_000
/** From the last process's exit to an empty cgroup. */
export const removeTimeout = 5_000
