import { type ErrorCode, isJubakoError } from '../errors/index.js'
import { HttpError } from './http/head.js'

/** HTTP status of each error of the engine. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  ERR_JUBAKO_INVALID_ARGUMENT: 400,
  ERR_JUBAKO_INVALID_REFERENCE: 400,
  ERR_JUBAKO_NOT_FOUND: 404,
  ERR_JUBAKO_CONFLICT: 409,
  ERR_JUBAKO_STATE: 409,
  ERR_JUBAKO_INTEGRITY: 400,
  ERR_JUBAKO_LIMIT_EXCEEDED: 400,
  ERR_JUBAKO_UNAUTHORIZED: 401,
  ERR_JUBAKO_COMMAND_NOT_FOUND: 400,
  ERR_JUBAKO_COMMAND_NOT_EXECUTABLE: 400,
  ERR_JUBAKO_UNSUPPORTED: 501,
}

/** An error of the API itself. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

export const badRequest = (message: string): ApiError => new ApiError(400, message)

/** The body for what dockerd answers with 304: the state was already as asked for. */
export const notModified = (): ApiError => new ApiError(304, '')

export function statusOf(error: unknown): number {
  if (error instanceof ApiError || error instanceof HttpError) return error.status
  return isJubakoError(error) ? (STATUS[error.code] ?? 500) : 500
}

/** Words by which docker's command line tells that a command does not exist (127) or cannot be executed (126). */
const WORDS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_JUBAKO_COMMAND_NOT_FOUND: 'executable file not found in $PATH',
  ERR_JUBAKO_COMMAND_NOT_EXECUTABLE: 'permission denied',
}

/** The message for the client. Clients compare these texts, so a hint is added only where there is nothing to compare. */
export function messageOf(error: unknown): string {
  const { message, hint } = error as { message?: string; hint?: string }
  const text = message ?? String(error)
  if (!isJubakoError(error)) return text
  const words = WORDS[error.code]
  if (words !== undefined) return `${text}: ${words}`
  return hint !== undefined && error.code === 'ERR_JUBAKO_UNSUPPORTED' ? `${text} (${hint})` : text
}
