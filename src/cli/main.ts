import type { Engine } from '../engine/engine.js'
import { isJubakoError } from '../errors/index.js'
import { type Command, type CommandContext, type CommandEntry, errorText, type Faces } from './command.js'
import { findAbsent } from './commands/absent.js'
import { commands } from './commands/table.js'
import { CodedError, EXIT, ExitSignal, exitCodeOf, UsageError } from './exit-codes.js'
import { parseFlags } from './flags/parse.js'
import type { CommandSpec } from './flags/spec.js'
import { globals } from './globals.js'
import { commandHelp, commandList, flagHelp, usageLine } from './help.js'
import { Output } from './io/output.js'

const columns = (): number => process.stdout.columns ?? 120

function overview(): string {
  const rows = commands
    .filter(({ names }) => !names[0]!.includes(' '))
    .map(({ names, summary }) => [names[0]!, summary] as const)
  return [
    `Usage:  jubako ${globals.usage}`,
    globals.summary,
    `Commands:\n${commandList(rows)}`,
    `Global Options:\n${flagHelp(globals.flags, columns())}`,
    "Run 'jubako COMMAND --help' for more on a command.\n",
  ].join('\n\n')
}

/** The entry with the longest spelling that begins the arguments, and what follows it. */
function findCommand(args: readonly string[]): { entry: CommandEntry; rest: string[] } | undefined {
  for (const length of [3, 2, 1]) {
    const words = args.slice(0, length).join(' ')
    const entry = commands.find(({ names }) => names.includes(words))
    if (entry !== undefined && args.length >= length) return { entry, rest: args.slice(length) }
  }
  return undefined
}

/** Management words alone: `jubako container`. */
function groupHelp(words: string): string | undefined {
  const rows = commands.flatMap(({ names, summary }) =>
    names
      .filter((name) => name.startsWith(`${words} `))
      .map((name) => [name.slice(words.length + 1), summary] as const),
  )
  if (rows.length === 0) return undefined
  return `Usage:  jubako ${words} COMMAND\n\nCommands:\n${commandList(rows)}\n`
}

function checkCount(spec: CommandSpec, count: number): void {
  const [min, max] = spec.args
  if (count >= min && count <= max) return
  const wants = max === min ? min : count < min ? `at least ${min}` : `at most ${max}`
  const noun = (max === min ? min : count < min ? min : max) === 1 ? 'argument' : 'arguments'
  const text = max === 0 ? 'accepts no arguments' : `requires ${wants} ${noun}`
  throw new UsageError(`'jubako ${spec.name}' ${text}`, spec.name, EXIT.failure)
}

/**
 * Runs the command line.
 *
 * @param argv arguments after the program's name
 * @param faces what else of the engine the command line starts
 * @returns exit code
 */
export async function main(argv: readonly string[], faces: Faces): Promise<number> {
  const [out, err] = [new Output(1), new Output(2)]
  let engine: Promise<Engine> | undefined
  let command: Command | undefined
  let debug = false
  try {
    if (argv[0] === '__complete') {
      await (await import('./print-completion.js')).printCompletion(argv.slice(1), out)
      return EXIT.ok
    }
    const flags = parseFlags(globals, argv)
    debug = flags.bool('debug')
    if (flags.bool('version')) {
      const { packageVersion } = await import('../engine/version.js')
      out.line(`jubako version ${packageVersion()}`)
      return EXIT.ok
    }
    if (flags.args.length === 0 || flags.help || flags.args[0] === 'help') {
      const asked = flags.args[0] === 'help' ? flags.args.slice(1) : []
      const found = findCommand(asked)
      out.text(found === undefined ? overview() : commandHelp((await found.entry.load()).command.spec, columns()))
      return EXIT.ok
    }
    const found = findCommand(flags.args)
    if (found === undefined) {
      const group = groupHelp(flags.args[0]!)
      const all = groupHelp((flags.args.at(-1) === '--help' ? flags.args.slice(0, -1) : flags.args).join(' '))
      if (all !== undefined) {
        out.text(all)
        return EXIT.ok
      }
      const absent = findAbsent(flags.args)
      if (absent !== undefined) {
        const state = absent.status === 'refused' ? 'is not supported' : 'is not available yet'
        throw new CodedError(`'jubako ${absent.names[0]}' ${state}: ${absent.reason}`, EXIT.failure)
      }
      throw new UsageError(
        `unknown command: jubako ${flags.args.slice(0, group === undefined ? 1 : 2).join(' ')}`,
        '',
        EXIT.failure,
      )
    }
    const places = {
      ...place('root', flags.string('root') ?? process.env.JUBAKO_ROOT),
      ...place('runRoot', flags.string('run-root') ?? process.env.JUBAKO_RUN_ROOT),
    }
    const context: CommandContext = {
      engine: () => {
        engine ??= Promise.all([import('../engine/engine.js'), import('./registry-settings.js')]).then(
          ([{ Engine }, { registrySettings }]) =>
            Engine.open({ ...places, dropBlobs: flags.bool('drop-blobs'), registry: () => registrySettings() }),
        )
        return engine
      },
      faces,
      commands,
      out,
      err,
      places,
    }
    command = (await found.entry.load()).command
    const parsed = parseFlags(command.spec, found.rest)
    if (parsed.help) {
      out.text(commandHelp(command.spec, columns()))
      return EXIT.ok
    }
    checkCount(command.spec, parsed.args.length)
    return await command.run(parsed, context)
  } catch (error) {
    return report(error, command, debug, err)
  } finally {
    await engine?.then((it) => it.close()).catch(() => {})
  }
}

const place = <K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> =>
  value === undefined || value === '' ? {} : ({ [key]: value } as Partial<Record<K, string>>)

function report(error: unknown, command: Command | undefined, debug: boolean, err: Output): number {
  if (error instanceof ExitSignal) return error.exitCode
  err.line(errorText(error))
  if (error instanceof UsageError) {
    if (command !== undefined && error.help !== '') err.text(`\n${usageLine(command.spec)}\n`)
    err.text(`\nRun 'jubako ${error.help === '' ? '' : `${error.help} `}--help' for more information\n`)
  }
  if (debug) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) err.line(at.stack ?? at.message)
  }
  const setup = isJubakoError(error) && error.step !== undefined ? command?.setupFailure : undefined
  return exitCodeOf(error, setup ?? command?.failure ?? EXIT.failure)
}
