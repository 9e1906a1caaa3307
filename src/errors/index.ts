/**
 * Errors of jubako.
 *
 * Every error that reaches a caller is a {@link JubakoError} with a stable `code`, and, where the kernel refused
 * something, Node's own fields (`errno`, `syscall`, `path`) plus `step` and `hint`.
 */

/** Stable error codes. Compare `error.code` with these. */
export type ErrorCode =
  /** A value given by the caller is not valid; `message` names it. */
  | 'ERR_JUBAKO_INVALID_ARGUMENT'
  /** An image reference is not well formed. */
  | 'ERR_JUBAKO_INVALID_REFERENCE'
  /** No such container, image, layer or exec. */
  | 'ERR_JUBAKO_NOT_FOUND'
  /** The name or object exists already, or is in use. */
  | 'ERR_JUBAKO_CONFLICT'
  /** The container's state does not allow the operation (for example `exec` on a stopped one). */
  | 'ERR_JUBAKO_STATE'
  /** Content does not match its digest, or an archive is malformed or hostile. */
  | 'ERR_JUBAKO_INTEGRITY'
  /** A limit on size, entries or ratio was exceeded by untrusted content. */
  | 'ERR_JUBAKO_LIMIT_EXCEEDED'
  /** The registry refused, failed or answered nonsense. */
  | 'ERR_JUBAKO_REGISTRY'
  /** The registry asks for credentials, or refused those given. */
  | 'ERR_JUBAKO_UNAUTHORIZED'
  /** A network connection failed or stalled. */
  | 'ERR_JUBAKO_NETWORK'
  /** A set-up step of a container failed; `step`, `syscall`, `errno` and `path` say which. */
  | 'ERR_JUBAKO_SETUP'
  /** The container's command does not exist in the container (exit code 127). */
  | 'ERR_JUBAKO_COMMAND_NOT_FOUND'
  /** The container's command exists but cannot be executed (exit code 126). */
  | 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE'
  /** The kernel or this build lacks a feature; `hint` names it. */
  | 'ERR_JUBAKO_UNSUPPORTED'
  /** An `AbortSignal` fired. */
  | 'ERR_JUBAKO_ABORTED'
  /** A step of a build failed; the error names it and its place. */
  | 'ERR_JUBAKO_BUILD'
  /** A system call of the engine itself failed. */
  | 'ERR_JUBAKO_SYSTEM'

/** Optional fields of a {@link JubakoError}. */
export interface ErrorDetails {
  /** Name of the failed errno, for example `ENOENT`. */
  errnoName?: string | undefined
  /** Positive errno of the failed system call. */
  errno?: number | undefined
  /** The failed system call, for example `openat2`. */
  syscall?: string | undefined
  /** The path, value or object the call was about. */
  path?: string | undefined
  /** The named set-up step, see `native/spawn/steps.def`. */
  step?: string | undefined
  /** What the reader can do about it. One sentence, no full stop needed. */
  hint?: string | undefined
  /** The lower error. */
  cause?: unknown
}

/** The one error class; told apart by `code`. */
export class JubakoError extends Error {
  override readonly name = 'JubakoError'
  readonly code: ErrorCode
  readonly errno: number | undefined
  readonly errnoName: string | undefined
  readonly syscall: string | undefined
  readonly path: string | undefined
  readonly step: string | undefined
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.errno = details.errno
    this.errnoName = details.errnoName
    this.syscall = details.syscall
    this.path = details.path
    this.step = details.step
    this.hint = details.hint
  }
}

/** True for a {@link JubakoError}, optionally with one of the given codes. */
export function isJubakoError(error: unknown, ...codes: ErrorCode[]): error is JubakoError {
  return error instanceof JubakoError && (codes.length === 0 || codes.includes(error.code))
}

/** Shorthand for the most frequent error: a bad value from the caller. */
export function invalidArgument(message: string, details?: ErrorDetails): JubakoError {
  return new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', message, details)
}
