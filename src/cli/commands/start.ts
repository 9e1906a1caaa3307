import { type Command, forEach } from '../command.js'
import { CodedError, EXIT, failureOf } from '../exit-codes.js'
import { detachKeysFlag } from '../flags/detach-keys.js'
import { redraw, runSession } from '../io/session.js'
import { terminalSize } from '../io/terminal.js'

const noCheckpoints = { status: 'missing', reason: 'checkpoints are not built yet', hidden: true } as const

export const command: Command = {
  spec: {
    name: 'start',
    aliases: ['container start', 'start'],
    usage: '[OPTIONS] CONTAINER [CONTAINER...]',
    summary: 'Start one or more stopped containers',
    args: [1, Number.POSITIVE_INFINITY],
    flags: [
      ['a', 'attach', 'bool', 'Connect output and forward signals'],
      ['', 'checkpoint', 'string', 'Restore from a checkpoint', noCheckpoints],
      ['', 'checkpoint-dir', 'string', 'Where checkpoints are', noCheckpoints],
      detachKeysFlag,
      ['i', 'interactive', 'bool', 'Connect standard input'],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const attached = flags.bool('attach') || flags.bool('interactive')
    if (!attached) {
      return forEach(flags.args, context, async (name) => {
        await (await engine.container(name)).start()
        context.out.line(name)
      })
    }
    if (flags.args.length > 1) {
      throw new CodedError('you cannot start and attach multiple containers at once', EXIT.failure)
    }
    const container = await engine.container(flags.args[0]!)
    const { tty } = await container.settings()
    const { state } = await container.summary()
    try {
      await container.start({ attach: { stdin: flags.bool('interactive') }, ...(tty && terminalSize()) })
    } catch (error) {
      throw failureOf(error)
    }
    if (tty && state === 'running') await redraw(container)
    const detached = await runSession(
      {
        stdin: container.stdin,
        stdout: container.stdout,
        stderr: container.stderr,
        resize: (columns, rows) => container.resize(columns, rows),
        kill: (signal) => container.kill(signal),
      },
      { tty, signalProxy: true, detachKeys: flags.value<number[]>('detach-keys') },
      context,
    )
    if (detached) return EXIT.ok
    return (await container.wait()).exitCode
  },
}
