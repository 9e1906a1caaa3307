import type { Engine } from '../engine/engine.js'
import type { ApiServer, ServeOptions } from '../engine/serve-types.js'
import type { ParsedArgs } from './flags/parse.js'
import type { CommandSpec } from './flags/spec.js'
import type { Output } from './io/output.js'

/** What `registry serve` asks for: the options of the package's `serveRegistry`. */
export interface RegistryServeOptions {
  /** Directory; without it the engine's images are served. */
  root?: string
  host: string
  port: number
  tls?: { cert: string; key: string }
  htpasswd?: string
  policy?: string
  readonly: boolean
  insecure: boolean
  behindProxy: boolean
  proxy?: string
  quotaBytes?: number
  maxBlobBytes?: number
  maxUploads?: number
  /** Milliseconds. */
  collectEveryMs?: number
  graceMs?: number
  onAccess?: (entry: object) => void
}

/** Accounts in an htpasswd file. */
export interface RegistryUsers {
  addUser(path: string, name: string, password: string): Promise<void>
  removeUser(path: string, name: string): Promise<boolean>
  listUsers(path: string): Promise<string[]>
}

/** Other faces of the engine. The program gives them: faces do not know each other. */
export interface Faces {
  /** The Docker Engine API. */
  serve(engine: Engine, options: ServeOptions): Promise<ApiServer>
  /** The same on a temporary socket while `use` runs; what its clients made is removed. */
  withDockerHost<T>(engine: Engine, use: (dockerHost: string) => Promise<T>): Promise<T>
  /** A registry. `engine` is asked for when its images are to be served. */
  serveRegistry(
    engine: () => Promise<Engine>,
    options: RegistryServeOptions,
  ): Promise<{ readonly url: string; close(): Promise<void> }>
  registryUsers(): Promise<RegistryUsers>
}

/** What a command works with. */
export interface CommandContext {
  /** Opened at the first call. */
  engine(): Promise<Engine>
  faces: Faces
  /** Every command of the table. */
  commands: readonly CommandEntry[]
  out: Output
  err: Output
  /** `--root` and `--run-root`, or their variables. */
  places: { root?: string; runRoot?: string }
}

/** One command: its table row for the parser and the help, and what it does. Returns the exit code. */
export interface Command {
  spec: CommandSpec
  run(flags: ParsedArgs, context: CommandContext): Promise<number>
  /** Exit code of an error without one of its own. Default 1. */
  failure?: number
  /** Exit code when the process it starts cannot be set up. Default: as `failure`. */
  setupFailure?: number
}

/** A command's module is loaded when the command is called. */
export interface CommandEntry {
  /** All spellings, the one for `--help` first. */
  names: readonly string[]
  summary: string
  load(): Promise<{ command: Command }>
}

/**
 * Runs `act` for each name; a failure is printed and the others still have their turn.
 *
 * @returns 1 when any failed
 */
export async function forEach(
  names: readonly string[],
  context: CommandContext,
  act: (name: string) => Promise<void>,
): Promise<number> {
  let code = 0
  for (const name of names) {
    try {
      await act(name)
    } catch (error) {
      context.err.line(errorText(error))
      code = 1
    }
  }
  return code
}

/** Containers that one command works on at the same time, as docker does. */
const AT_ONCE = 50

/**
 * Runs `act` for all names at the same time. In their order each is printed, or its failure, as soon as it and those
 * before it are done.
 *
 * @param act false: nothing is printed
 * @returns 1 when any failed
 */
export async function forAll(
  names: readonly string[],
  context: CommandContext,
  act: (name: string) => Promise<unknown>,
): Promise<number> {
  const begun: Promise<() => number>[] = []
  const begin = (name: string) =>
    act(name).then(
      (shown) => () => {
        if (shown !== false) context.out.line(name)
        return 0
      },
      (error: unknown) => () => {
        context.err.line(errorText(error))
        return 1
      },
    )
  for (const name of names.slice(0, AT_ONCE)) begun.push(begin(name))
  let code = 0
  for (let at = 0; at < names.length; at++) {
    code |= (await begun[at]!)()
    const next = names[at + AT_ONCE]
    if (next !== undefined) begun.push(begin(next))
  }
  return code
}

/** The line for a person: what failed and what to do. */
export function errorText(error: unknown): string {
  const { message, hint } = error as { message?: string; hint?: string }
  return `jubako: ${message ?? String(error)}${hint === undefined ? '' : `\nhint: ${hint}`}`
}
