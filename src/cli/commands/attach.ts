import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { detachKeysFlag } from '../flags/detach-keys.js'
import { redraw, runSession } from '../io/session.js'

/** What docker says of a container that is not running. */
const REFUSALS: Readonly<Record<string, string>> = {
  exited: 'You cannot attach to a stopped container, start it first',
  paused: 'You cannot attach to a paused container, unpause it first',
  restarting: 'You cannot attach to a restarting container, wait until it is running',
}

export const command: Command = {
  spec: {
    name: 'attach',
    aliases: ['container attach', 'attach'],
    usage: '[OPTIONS] CONTAINER',
    summary: 'Attach local standard input, output, and error streams to a running container',
    args: [1, 1],
    flags: [
      detachKeysFlag,
      ['', 'no-stdin', 'bool', 'Do not connect standard input'],
      ['', 'sig-proxy', 'bool', 'Pass signals on to the process', { default: 'true' }],
    ],
  },
  async run(flags, context) {
    const engine = await context.engine()
    const container = await engine.container(flags.args[0]!)
    const { state } = await container.summary()
    const refusal = REFUSALS[state] ?? (state === 'running' ? undefined : REFUSALS.exited)
    if (refusal !== undefined) throw new CodedError(refusal, EXIT.failure)
    const { tty } = await container.settings()
    if (tty && !flags.bool('no-stdin') && !process.stdin.isTTY) {
      throw new CodedError('the input device is not a TTY', EXIT.failure)
    }
    const attachment = await container.attach({ stdin: !flags.bool('no-stdin') })
    if (tty) await redraw(container)
    const detached = await runSession(
      {
        stdin: attachment.stdin,
        stdout: attachment.stdout,
        stderr: attachment.stderr,
        resize: (width, height) => container.resize(width, height),
        kill: (signal) => container.kill(signal),
      },
      {
        tty,
        signalProxy: flags.bool('sig-proxy', true),
        detachKeys: flags.value<number[]>('detach-keys'),
      },
      context,
    )
    if (detached) {
      attachment.detach()
      context.err.line('read escape sequence')
      return EXIT.failure
    }
    return (await attachment.ended)?.exitCode ?? EXIT.ok
  },
}
