import type { LogLine } from '../runtime/index.js'
import type { LogEntry, LogOptions } from './types.js'

const NEVER = Number.POSITIVE_INFINITY

/** `tail`, `since` and `until` over a log. With `follow`, `tail` counts what is there when following begins. */
export async function* selectLog(batches: AsyncIterable<LogLine[]>, options: LogOptions): AsyncGenerator<LogEntry[]> {
  const { since = -NEVER, until = NEVER, tail = NEVER } = options
  const timed = since !== -NEVER || until !== NEVER
  const within = ({ time }: LogLine): boolean => {
    const at = Date.parse(time)
    return at >= since && at <= until
  }
  let kept: LogLine[] | undefined = tail === NEVER ? undefined : []
  for await (const batch of batches) {
    const lines = timed ? batch.filter(within) : batch
    if (kept === undefined) {
      if (lines.length > 0) yield lines
      continue
    }
    kept = lastOf([...kept, ...lines], tail)
    // All that was there has been read: what comes now is new.
    if (batch.length > 0 || !options.follow) continue
    if (kept.length > 0) yield kept
    kept = undefined
  }
  if (kept !== undefined && kept.length > 0) yield kept
}

const lastOf = <T>(list: T[], count: number): T[] => (count <= 0 ? [] : list.length > count ? list.slice(-count) : list)

/** The longest time that a timer of Node takes. */
const LONGEST_MS = 2 ** 31 - 1

/** With `until`, following ends at that time. */
export function followSignal({ until, signal }: LogOptions): AbortSignal | undefined {
  const left = until === undefined ? NEVER : until - Date.now()
  if (left > LONGEST_MS) return signal
  const timer = AbortSignal.timeout(Math.max(left, 0))
  return signal === undefined ? timer : AbortSignal.any([signal, timer])
}
