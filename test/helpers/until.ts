import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until a condition holds; a loaded machine may take its time. */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !(await condition()); ) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${condition}`)
    await sleep(20)
  }
}
