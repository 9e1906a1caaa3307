import type { LogEntry, LogOptions } from '../../engine/types.js'
import type { Call } from '../call.js'
import { badRequest } from '../errors.js'
import { frameHeader, streamType } from '../streams.js'

/** `2026-11-25T05:01:53.123456789Z` with all nine digits. */
function stamp(time: string): string {
  const found = /^(.*?)(?:\.(\d+))?Z$/.exec(time)
  return found === null ? time : `${found[1]}.${(found[2] ?? '').padEnd(9, '0')}Z`
}

function options(call: Call): LogOptions {
  const { query } = call
  const tail = query.text('tail')
  const count = /^\d+$/.test(tail) ? Number(tail) : undefined
  const [since, until] = [query.time('since'), query.time('until')]
  return {
    follow: query.bool('follow'),
    ...(count !== undefined && { tail: count }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    signal: call.signal,
  }
}

export async function containerLogs(call: Call): Promise<void> {
  const { query, reply } = call
  const wanted = new Set<LogEntry['stream']>()
  if (query.bool('stdout')) wanted.add('stdout')
  if (query.bool('stderr')) wanted.add('stderr')
  if (wanted.size === 0) throw badRequest('Bad parameters: you must choose at least one stream')
  const container = await call.resident.container(call.params.id!)
  const { tty } = await container.settings()
  const labels = query.bool('details') ? details((await container.summary()).labels) : ''
  const lines = container.logs(options(call))[Symbol.asyncIterator]()
  const timestamps = query.bool('timestamps')
  // What cannot be read is an error, not an empty log. While following, the head does not wait for the first line.
  const first = lines.next()
  if (!query.bool('follow')) await first
  await reply.start(200, { 'Content-Type': streamType(tty, call.version) })
  for (let result = await first; !result.done; result = await lines.next()) {
    const { stream, time, data } = result.value
    if (!wanted.has(stream)) continue
    const prefix = Buffer.from(`${timestamps ? `${stamp(time)} ` : ''}${labels}`)
    const line = prefix.length === 0 ? data : Buffer.concat([prefix, data])
    const header = frameHeader(stream === 'stdout' ? 1 : 2, line.length)
    if (!(await reply.write(tty ? line : Buffer.concat([header, line])))) break
  }
  await lines.return?.()
}

/** Docker shows what a log driver's options take from the labels; our driver has no such option. */
const details = (_labels: Record<string, string>): string => ' '
