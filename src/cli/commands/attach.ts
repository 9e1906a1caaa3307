import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { runSession } from '../io/session.js'
import { terminalSize } from '../io/terminal.js'
import { parseDetachKeys } from '../values/detach-keys.js'

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
      ['', 'detach-keys', 'string', 'Keys that leave the container running, for example ctrl-p,ctrl-q'],
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
    const attachment = await container.attach({ stdin: !flags.bool('no-stdin') })
    const { columns, rows } = terminalSize()
    if (tty && columns > 0) await container.resize(columns, rows)
    const keys = flags.string('detach-keys')
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
        detachKeys: keys === undefined ? undefined : parseDetachKeys(keys),
      },
      context,
    )
    if (detached) {
      attachment.detach()
      context.err.line('read escape sequence')
      return EXIT.ok
    }
    return (await attachment.ended)?.exitCode ?? EXIT.ok
  },
}
