/**
 * The command line's grammar, as docker's parser (spf13/pflag) has it:
 * `--name value`, `--name=value`, `--bool`, `--bool=false`, `-abc` (bools), `-nvalue`, `-n value`, `-n=value`, `--`.
 * A flag that takes a value takes the next argument whatever it looks like.
 */
import { invalidArgument } from '../../errors/index.js'
import { UsageError } from '../exit-codes.js'
import type { CommandSpec, FlagExtra, FlagRow } from './spec.js'
import { FLAG_TYPES } from './types.js'

/** Values of the flags that were given, and the positional arguments. */
export class ParsedArgs {
  /** @param command whose flags they are, as `--help` names it */
  constructor(readonly command: string) {}

  /** True after `--help`: nothing else was looked at. */
  help = false
  readonly args: string[] = []
  readonly #values = new Map<string, unknown>()

  /** @internal */
  set(name: string, value: unknown, repeat: boolean): void {
    if (!repeat) this.#values.set(name, value)
    else this.#values.set(name, [...((this.#values.get(name) as unknown[] | undefined) ?? []), value])
  }

  /** Whether the flag was given, with any value. */
  has(name: string): boolean {
    return this.#values.has(name)
  }

  bool(name: string, fallback = false): boolean {
    return (this.#values.get(name) as boolean | undefined) ?? fallback
  }

  string(name: string): string | undefined {
    return this.#values.get(name) as string | undefined
  }

  number(name: string): number | undefined {
    return this.#values.get(name) as number | undefined
  }

  /** What a flag's own grammar made of its value. */
  value<T>(name: string): T | undefined {
    return this.#values.get(name) as T | undefined
  }

  list<T = string>(name: string): T[] {
    return (this.#values.get(name) as T[] | undefined) ?? []
  }
}

/** `-c, --cpu-shares`, as messages name a flag. */
export function flagName([short, name]: FlagRow): string {
  return short === '' ? `--${name}` : `-${short}, --${name}`
}

/**
 * Parses the arguments after the command's name.
 *
 * @throws UsageError for an unknown flag, a missing or bad value, or a flag that is refused or missing
 */
export function parseFlags(spec: CommandSpec, argv: readonly string[]): ParsedArgs {
  return new Parser(spec).parse(argv)
}

class Parser {
  readonly #long = new Map<string, FlagRow>()
  readonly #short = new Map<string, FlagRow>()
  readonly #out: ParsedArgs

  constructor(readonly spec: CommandSpec) {
    this.#out = new ParsedArgs(spec.name)
    for (const row of spec.flags) {
      this.#long.set(row[1], row)
      if (row[0] !== '') this.#short.set(row[0], row)
    }
  }

  parse(argv: readonly string[]): ParsedArgs {
    const rest = [...argv]
    while (rest.length > 0 && !this.#out.help) {
      const arg = rest.shift() as string
      if (arg === '--') this.#out.args.push(...rest.splice(0))
      else if (arg.startsWith('--')) this.#longFlag(arg.slice(2), rest)
      else if (arg.length > 1 && arg.startsWith('-')) this.#shortFlags(arg.slice(1), rest)
      else {
        this.#out.args.push(arg)
        if (this.spec.interspersed === false) this.#out.args.push(...rest.splice(0))
      }
    }
    return this.#out
  }

  #longFlag(body: string, rest: string[]): void {
    if (body.startsWith('-') || body.startsWith('=')) throw this.#usage(`bad flag syntax: --${body}`)
    const equals = body.indexOf('=')
    const name = equals < 0 ? body : body.slice(0, equals)
    const row = this.#long.get(name)
    if (name === 'help') this.#out.help = true
    else if (row === undefined) throw this.#usage(`unknown flag: --${name}`)
    else if (equals >= 0) this.#set(row, body.slice(equals + 1))
    else if (row[2] === 'bool') this.#set(row, 'true')
    else if (rest.length > 0) this.#set(row, rest.shift() as string)
    else throw this.#usage(`flag needs an argument: --${name}`)
  }

  #shortFlags(letters: string, rest: string[]): void {
    for (let left = letters; left.length > 0; ) {
      const letter = left[0] as string
      const row = this.#short.get(letter)
      if (row === undefined) {
        if (letter !== 'h') throw this.#usage(`unknown shorthand flag: '${letter}' in -${left}`)
        this.#out.help = true
        return
      }
      if (left.length > 2 && left[1] === '=') this.#set(row, left.slice(2))
      else if (row[2] === 'bool') {
        this.#set(row, 'true')
        left = left.slice(1)
        continue
      } else if (left.length > 1) this.#set(row, left.slice(1))
      else if (rest.length > 0) this.#set(row, rest.shift() as string)
      else throw this.#usage(`flag needs an argument: '${letter}' in -${left}`)
      return
    }
  }

  #set(row: FlagRow, text: string): void {
    const extra: FlagExtra = row[4] ?? {}
    if (extra.status === 'refused') throw this.#usage(`--${row[1]} is not supported: ${extra.reason}`)
    if (extra.status === 'missing') throw this.#usage(`--${row[1]} is not available yet${because(extra)}`)
    const type = FLAG_TYPES[row[2]]
    let value: unknown
    try {
      value = (extra.parse ?? type.parse)(text)
    } catch (error) {
      if (extra.late === true) throw invalidArgument((error as Error).message)
      throw this.#usage(`invalid argument "${text}" for "${flagName(row)}" flag: ${(error as Error).message}`)
    }
    this.#out.set(extra.alias ?? row[1], value, type.repeat)
  }

  #usage(message: string): UsageError {
    return new UsageError(message, this.spec.name)
  }
}

function because(extra: FlagExtra): string {
  return extra.reason === undefined ? '' : `: ${extra.reason}`
}
