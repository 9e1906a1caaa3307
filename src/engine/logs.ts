import type { LogLine } from '../runtime/index.js'
import type { LogEntry, LogOptions } from './types.js'

/** `tail`, `since` and `until` over a log. With `follow`, `tail` counts what is there when following begins. */
export async function* selectLog(lines: AsyncIterable<LogLine>, options: LogOptions): AsyncGenerator<LogEntry> {
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY, tail } = options
  const timed = since !== Number.NEGATIVE_INFINITY || until !== Number.POSITIVE_INFINITY
  const within = (line: LogLine): boolean => {
    if (!timed) return true
    const at = Date.parse(line.time)
    return at >= since && at <= until
  }
  if (tail === undefined) {
    for await (const line of lines) if (within(line)) yield line
    return
  }
  const begun = Date.now()
  let kept: LogLine[] | undefined = []
  const iterator = lines[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = iterator.next()
      // While following, what does not come at once is new.
      const result = kept !== undefined && options.follow ? await Promise.race([next, idle()]) : await next
      if (result === undefined) {
        yield* kept!
        kept = undefined
        const late = await next
        if (late.done) return
        if (within(late.value)) yield late.value
        continue
      }
      if (result.done) {
        if (kept !== undefined) yield* kept
        return
      }
      if (!within(result.value)) continue
      if (kept === undefined) yield result.value
      else if (Date.parse(result.value.time) > begun) {
        yield* kept
        kept = undefined
        yield result.value
      } else {
        kept.push(result.value)
        if (kept.length > tail) kept.shift()
      }
    }
  } finally {
    await iterator.return?.()
  }
}

const idle = (): Promise<undefined> => new Promise((resolve) => setTimeout(resolve, 50, undefined))
