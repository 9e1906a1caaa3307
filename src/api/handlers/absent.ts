import type { Handler } from '../call.js'
import { ApiError } from '../errors.js'

/** An operation whose engine is not there yet. */
export function absent(what: string): () => Promise<Handler> {
  return async () => async () => {
    throw new ApiError(501, `${what} is not available yet`)
  }
}
