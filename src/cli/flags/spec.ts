/** How a flag's value is written; the name is what `--help` shows. */
export type FlagType =
  | 'bool'
  | 'string'
  | 'list'
  | 'stringSlice'
  | 'map'
  | 'int'
  | 'int64'
  | 'uint16'
  | 'uint64'
  | 'decimal'
  | 'bytes'
  | 'memory-swap'
  | 'duration'
  | 'filter'
  | 'mount'
  | 'network'
  | 'ulimit'
  | 'gpu-request'

/** What the engine does with a flag or command of docker. `missing` is on the way, `refused` is not planned. */
export type Status = 'works' | 'refused' | 'missing'

/** Everything that is not in every row of a flag table. */
export interface FlagExtra {
  /** Shown by `--help`, as docker shows it. */
  default?: string
  /** Default `works`. */
  status?: Status
  /** One clause: why it is refused or missing. */
  reason?: string
  /** Not shown by `--help`. */
  hidden?: boolean
  /** The value counts for this flag: another spelling. */
  alias?: string
  /** Grammar of one value. Throws an Error whose message says what is wrong. Default: the type's own. */
  parse?: (text: string) => unknown
  /** A bad value is an error of the command (its own exit code), not of the command line. */
  late?: boolean
}

/** One row of a flag table: short letter or '', long name, type, help, and the rest. */
export type FlagRow = readonly [short: string, name: string, type: FlagType, help: string, extra?: FlagExtra]

/** A command as the parser and the help see it. */
export interface CommandSpec {
  /** The spelling after `jubako`, for example `ps`. */
  name: string
  /** All spellings, the management one first, as `--help` lists them. */
  aliases: readonly string[]
  /** What follows the command's name in the usage line. */
  usage: string
  summary: string
  flags: readonly FlagRow[]
  /** Least and most positional arguments. */
  args: readonly [min: number, max: number]
  /** false: parsing stops at the first positional argument. Default true. */
  interspersed?: boolean
  /** Lines for the end of `--help`. */
  examples?: readonly string[]
}
