import type { Command } from '../command.js'
import { CodedError, EXIT, failureOf } from '../exit-codes.js'
import { environment } from '../flags/create-options.js'
import { detachKeysFlag } from '../flags/detach-keys.js'
import { runSession } from '../io/session.js'
import { terminalSize } from '../io/terminal.js'
import { parseEnv } from '../values/env.js'

export const command: Command = {
  setupFailure: EXIT.notExecutable,
  spec: {
    name: 'exec',
    aliases: ['container exec', 'exec'],
    usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
    summary: 'Execute a command in a running container',
    args: [2, Number.POSITIVE_INFINITY],
    interspersed: false,
    flags: [
      ['d', 'detach', 'bool', 'Run in the background'],
      detachKeysFlag,
      [
        'e',
        'env',
        'list',
        'Set a variable (name=value)',
        { parse: (text) => parseEnv(text, (name) => process.env[name]) },
      ],
      ['', 'env-file', 'list', 'Read variables from a file'],
      ['i', 'interactive', 'bool', 'Keep standard input open'],
      ['', 'privileged', 'bool', 'All capabilities, no seccomp'],
      ['t', 'tty', 'bool', 'Give it a terminal'],
      ['u', 'user', 'string', 'User and group (<name|uid>[:<group|gid>])'],
      ['w', 'workdir', 'string', 'Working directory'],
    ],
  },
  async run(flags, context) {
    const [name, ...argv] = flags.args as [string, ...string[]]
    const [tty, stdin, detached] = [flags.bool('tty'), flags.bool('interactive'), flags.bool('detach')]
    if (tty && stdin && !detached && !process.stdin.isTTY) {
      throw new CodedError('the input device is not a TTY', EXIT.failure)
    }
    const engine = await context.engine()
    const container = await engine.container(name)
    const env = environment(flags)
    const user = flags.string('user')
    const workdir = flags.string('workdir')
    const starting = container.exec(argv, {
      tty,
      stdin: stdin && !detached,
      detached,
      // As docker has it: who detaches, or is killed, leaves it running.
      outlives: true,
      privileged: flags.bool('privileged'),
      ...(env !== undefined && { env: definedOnly(env) }),
      ...(user !== undefined && { user }),
      ...(workdir !== undefined && { workdir }),
      ...(tty && terminalSize()),
    })
    if (detached) {
      await starting.catch((error: unknown) => {
        throw failureOf(error)
      })
      return EXIT.ok
    }
    const process_ = await starting
    const left = await runSession(
      process_,
      { tty, signalProxy: true, detachKeys: flags.value<number[]>('detach-keys') },
      context,
    )
    if (left) {
      context.err.line('read escape sequence')
      return EXIT.failure
    }
    return (await process_.wait()).exitCode
  },
}

const definedOnly = (env: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined))
