import { type Command, forAll } from '../command.js'
import { parseSignal } from '../values/signal.js'

const signal = (text: string): string => String(parseSignal(text))

export const command: Command = {
  spec: {
    name: 'kill',
    aliases: ['container kill', 'kill'],
    usage: '[OPTIONS] CONTAINER [CONTAINER...]',
    summary: 'Kill one or more running containers',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [['s', 'signal', 'string', 'Signal to send', { default: '"KILL"', parse: signal, late: true }]],
  },
  async run(flags, context) {
    const engine = await context.engine()
    return forAll(flags.args, context, async (name) => {
      await (await engine.container(name)).kill(flags.string('signal') ?? 'SIGKILL')
    })
  },
}
