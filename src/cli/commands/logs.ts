import type { LogEntry } from '../../engine/types.js'
import type { Command } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { parseTime } from '../values/time.js'

/** Docker's column: `a=1,b=2 `, a space alone without any. */
function detailsOf({ attributes }: LogEntry): string {
  const pairs = Object.entries(attributes).map(
    ([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`,
  )
  return `${pairs.sort().join(',')} `
}

const time = (text: string) => parseTime(text, Date.now())

function tail(text: string | undefined): number | undefined {
  if (text === undefined || text === 'all' || text === '') return undefined
  if (/^-?\d+$/.test(text)) return Number(text) < 0 ? undefined : Number(text)
  throw new UsageError(`invalid value for --tail: ${text} (a number or "all")`, 'logs', EXIT.failure)
}

export const command: Command = {
  spec: {
    name: 'logs',
    aliases: ['container logs', 'logs'],
    usage: '[OPTIONS] CONTAINER',
    summary: 'Fetch the logs of a container',
    args: [1, 1],
    flags: [
      ['', 'details', 'bool', 'Show attributes given by --log-opt'],
      ['f', 'follow', 'bool', 'Go on with what is added'],
      [
        '',
        'since',
        'string',
        'Show only what came after (a time, or a duration before now)',
        { parse: time, late: true },
      ],
      ['n', 'tail', 'string', 'Number of lines from the end', { default: '"all"' }],
      ['t', 'timestamps', 'bool', 'Show times'],
      ['', 'until', 'string', 'Show only what came before', { parse: time, late: true }],
    ],
  },
  async run(flags, context) {
    const last = tail(flags.string('tail'))
    const engine = await context.engine()
    const container = await engine.container(flags.args[0]!)
    const since = flags.number('since')
    const until = flags.number('until')
    const batches = container.logBatches({
      follow: flags.bool('follow'),
      ...(last !== undefined && { tail: last }),
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    })
    const stamps = flags.bool('timestamps')
    const details = flags.bool('details')
    const shown = (entry: LogEntry): Buffer => {
      const prefix = `${stamps ? `${entry.time} ` : ''}${details ? detailsOf(entry) : ''}`
      return prefix === '' ? entry.data : Buffer.concat([Buffer.from(prefix), entry.data])
    }
    for await (const batch of batches) {
      // One write for lines of one stream that follow each other.
      for (let from = 0; from < batch.length; ) {
        const { stream } = batch[from]!
        let to = from
        while (to < batch.length && batch[to]!.stream === stream) to++
        await (stream === 'stdout' ? context.out : context.err).bytes(Buffer.concat(batch.slice(from, to).map(shown)))
        from = to
      }
    }
    return EXIT.ok
  },
}
