import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import type { Container } from '../../engine/types.js'
import { invalidArgument } from '../../errors/index.js'
import { familiarReference, parseReference, withDefaultTag } from '../../oci/reference.js'
import type { Command, CommandContext } from '../command.js'
import { inDefaultNetwork } from '../default-network.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { createFlags } from '../flags/create-flags.js'
import { createOptions } from '../flags/create-options.js'
import { detachKeysFlag } from '../flags/detach-keys.js'
import type { ParsedArgs } from '../flags/parse.js'
import { chooseProgress } from '../io/progress.js'
import { runSession } from '../io/session.js'
import { terminalSize } from '../io/terminal.js'

/** Reserves the `--cidfile` before anything is made. */
export function openIdFile(path: string | undefined): { write(id: string): void; abandon(): void } {
  if (path === undefined || path === '') return { write: () => {}, abandon: () => {} }
  let fd: number
  try {
    fd = openSync(path, 'wx', 0o644)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') {
      throw invalidArgument(`container ID file found, make sure the other container isn't running or delete ${path}`, {
        path,
        cause,
      })
    }
    throw invalidArgument(`failed to create the container ID file ${path}: ${(cause as Error).message}`, {
      path,
      cause,
    })
  }
  let written = false
  return {
    write(id) {
      writeSync(fd, id)
      closeSync(fd)
      written = true
    },
    abandon() {
      if (written) return
      closeSync(fd)
      rmSync(path, { force: true })
    },
  }
}

/** Progress of the pull that `run` or `create` may need: on standard error, with docker's first line. */
export function pullProgress(flags: ParsedArgs, image: string, context: CommandContext) {
  const progress = chooseProgress(context.err, { quiet: flags.bool('quiet'), isTerminal: process.stderr.isTTY })
  let begun = false
  return {
    onProgress: (event: Parameters<typeof progress.onProgress>[0]) => {
      if (!begun && !flags.bool('quiet') && flags.string('pull') !== 'always') {
        context.err.line(`Unable to find image '${familiarReference(withDefaultTag(parseReference(image)))}' locally`)
      }
      begun = true
      progress.onProgress(event)
    },
    end: () => progress.end(),
  }
}

function checkConflicts(flags: ParsedArgs): void {
  const detach = flags.bool('detach')
  if (detach && flags.has('attach'))
    throw new CodedError('conflicting options: cannot specify both --attach and --detach', EXIT.failure)
  const wantsInput = flags.bool('interactive') && !detach
  if (flags.bool('tty') && wantsInput && !process.stdin.isTTY) {
    throw new CodedError('the input device is not a TTY', EXIT.failure)
  }
}

/** Which streams are attached: those of `-a`, else output, and input with `-i`. */
function attachOptions(flags: ParsedArgs): { stdin: boolean; stdout: boolean; stderr: boolean } {
  const named = flags.list('attach').map((name) => name.toLowerCase())
  const wants = (name: string) => named.length === 0 || named.includes(name)
  return { stdin: flags.bool('interactive') && wants('stdin'), stdout: wants('stdout'), stderr: wants('stderr') }
}

async function foreground(container: Container, flags: ParsedArgs, context: CommandContext): Promise<number> {
  const target = {
    stdin: container.stdin,
    stdout: container.stdout,
    stderr: container.stderr,
    resize: (columns: number, rows: number) => container.resize(columns, rows),
    kill: (signal: string) => container.kill(signal),
  }
  const detached = await runSession(
    target,
    {
      tty: flags.bool('tty'),
      signalProxy: flags.bool('sig-proxy', true),
      detachKeys: flags.value<number[]>('detach-keys'),
    },
    context,
  )
  if (detached) return EXIT.ok
  return (await container.wait()).exitCode
}

export const command: Command = {
  failure: EXIT.engine,
  spec: {
    name: 'run',
    aliases: ['container run', 'run'],
    usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
    summary: 'Create and run a new container from an image',
    args: [1, Number.POSITIVE_INFINITY],
    interspersed: false,
    flags: [
      ...createFlags,
      ['d', 'detach', 'bool', 'Run in the background and print the ID'],
      detachKeysFlag,
      ['', 'sig-proxy', 'bool', 'Pass signals on to the process', { default: 'true' }],
    ],
    examples: ['jubako run --rm -it debian:12 bash', 'jubako run -d --name web -v ./site:/srv nginx'],
  },
  async run(flags, context) {
    checkConflicts(flags)
    const [image, ...argv] = flags.args as [string, ...string[]]
    const options = inDefaultNetwork(createOptions(flags))
    const idFile = openIdFile(flags.string('cidfile'))
    const progress = pullProgress(flags, image, context)
    const detach = flags.bool('detach')
    let container: Container
    try {
      const engine = await context.engine()
      container = await engine.run(image, argv, {
        ...options,
        detached: true,
        autoRemove: flags.bool('rm'),
        pull: (flags.string('pull') ?? 'missing') as 'missing',
        onProgress: progress.onProgress,
        ...(!detach && { attach: attachOptions(flags) }),
        ...(flags.bool('tty') && terminalSize()),
        onCreated: (id) => idFile.write(id),
      })
    } catch (error) {
      progress.end()
      idFile.abandon()
      throw error
    }
    progress.end()
    if (!detach) return foreground(container, flags, context)
    context.out.line(container.id)
    return EXIT.ok
  },
}
