import { isJubakoError } from '../errors/index.js'

/** Exit codes of the command line. A container's own code, or 128+n when signal n killed it, is passed on as it is. */
export const EXIT = {
  ok: 0,
  /** The command failed, or got the wrong number of arguments. */
  failure: 1,
  /** The template of an object's `--format` does not parse. */
  template: 64,
  /** `run` and `create` failed before the container's command ran, or a flag is wrong (any command). */
  engine: 125,
  /** The container's command exists but cannot be executed. */
  notExecutable: 126,
  /** The container's command does not exist. */
  notFound: 127,
  /** Added to a signal's number. */
  signalBase: 128,
} as const

/**
 * Exit code for an error thrown by a command.
 *
 * @param fallback what the command returns for an error without a code of its own: 125 for `run` and `create`, else 1
 */
export function exitCodeOf(error: unknown, fallback: number): number {
  if (error instanceof CodedError) return error.exitCode
  if (isJubakoError(error, 'ERR_JUBAKO_COMMAND_NOT_FOUND')) return EXIT.notFound
  if (isJubakoError(error, 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE')) return EXIT.notExecutable
  return fallback
}

/** An error with an exit code of its own. */
export class CodedError extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** A container's command could not be set up where nobody waits for its exit code: the command itself failed. */
export function failureOf(error: unknown): unknown {
  if (!isJubakoError(error)) return error
  return Object.assign(new CodedError(error.message, EXIT.failure, { cause: error }), { hint: error.hint })
}

/** The command line itself is wrong. `message` names the flag or argument; `help` is the command to ask for help. */
export class UsageError extends CodedError {
  constructor(
    message: string,
    readonly help: string,
    exitCode: number = EXIT.engine,
  ) {
    super(message, exitCode)
  }
}

/** Ends the command with a code and without a message: everything was said. */
export class ExitSignal extends Error {
  constructor(readonly exitCode: number) {
    super(`exit ${exitCode}`)
  }
}
