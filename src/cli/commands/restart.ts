import { type Command, forAll } from '../command.js'
import { parseSignal } from '../values/signal.js'

const signal = (text: string): string => String(parseSignal(text))

export const command: Command = {
  spec: {
    name: 'restart',
    aliases: ['container restart', 'restart'],
    usage: '[OPTIONS] CONTAINER [CONTAINER...]',
    summary: 'Restart one or more containers',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['s', 'signal', 'string', 'Signal to send', { parse: signal, late: true }],
      ['t', 'timeout', 'int', 'Seconds before SIGKILL; -1 waits for ever'],
      ['', 'time', 'int', 'Seconds before SIGKILL; -1 waits for ever', { alias: 'timeout', hidden: true }],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return forAll(flags.args, context, async (name) => {
      const [wanted, timeout] = [flags.string('signal'), flags.number('timeout')]
      const container = await engine.container(name)
      await container.restart({
        ...(wanted !== undefined && { signal: wanted }),
        ...(timeout !== undefined && { timeout }),
      })
    })
  },
}
