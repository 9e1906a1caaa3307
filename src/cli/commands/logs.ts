import type { Command } from '../command.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { parseTime } from '../values/time.js'

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
    const lines = container.logs({
      follow: flags.bool('follow'),
      ...(last !== undefined && { tail: last }),
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    })
    const stamps = flags.bool('timestamps')
    // No log option of ours adds attributes: what is left of docker's column is its space.
    const details = flags.bool('details') ? ' ' : ''
    for await (const { stream, time: at, data } of lines) {
      const prefix = `${stamps ? `${at} ` : ''}${details}`
      const text = prefix === '' ? data : Buffer.concat([Buffer.from(prefix), data])
      await (stream === 'stdout' ? context.out : context.err).bytes(text)
    }
    return EXIT.ok
  },
}
