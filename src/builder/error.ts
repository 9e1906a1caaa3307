import { excerpt, type Location } from '../dockerfile/index.js'
import { type ErrorCode, type ErrorDetails, JubakoError } from '../errors/index.js'
import type { FailedStep } from './types.js'

/** A build that failed, with the place in the Dockerfile. */
export class BuildError extends JubakoError {
  readonly location: Location | undefined
  /** The lines around it. */
  readonly excerpt: string | undefined
  readonly failed: FailedStep | undefined

  constructor(
    code: ErrorCode,
    message: string,
    place: { location?: Location; source?: string; file?: string; failed?: FailedStep } = {},
    details: ErrorDetails = {},
  ) {
    super(code, message, details)
    this.location = place.location
    this.excerpt =
      place.location === undefined || place.source === undefined
        ? undefined
        : excerpt(place.source, place.location, place.file)
    this.failed = place.failed
  }
}
