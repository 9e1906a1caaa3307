import { type ErrorDetails, JubakoError } from '../errors/index.js'

/** A place in a Dockerfile. Lines and columns count from 1. */
export interface Location {
  line: number
  column: number
  endLine: number
}

/** What is wrong with a Dockerfile, and where. Told apart from others by its `location`. */
export class DockerfileError extends JubakoError {
  readonly location: Location

  constructor(message: string, location: Location, details: ErrorDetails = {}) {
    super('ERR_JUBAKO_INVALID_ARGUMENT', message, details)
    this.location = location
  }
}

/** Lines of context on both sides of what is shown. */
const SURROUNDING = 2

/** The lines around a place, the place itself marked, as BuildKit prints them. */
export function excerpt(source: string, location: Location, name = 'Dockerfile'): string {
  const lines = source.split('\n').map((line) => line.replace(/\r$/, ''))
  const last = Math.min(location.endLine, lines.length)
  const from = Math.max(location.line - SURROUNDING, 1)
  const to = Math.min(last + SURROUNDING, lines.length)
  const rule = '-'.repeat(20)
  const shown = lines.slice(from - 1, to).map((text, i) => {
    const number = from + i
    const mark = number >= location.line && number <= last ? '>>>' : '   '
    return `${String(number).padStart(4)} | ${mark} ${text}`.trimEnd()
  })
  return [`${name}:${location.line}`, rule, ...shown, rule].join('\n')
}
