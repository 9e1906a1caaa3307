import { type EvaluateOptions, evaluate } from './evaluate.js'
import { ARITY, FUNCTIONS } from './functions.js'
import { parseTemplate } from './parser.js'

export { withGoTypes } from './nil.js'
export { TemplateError } from './nodes.js'
export { Fields } from './values.js'

const NAMES: ReadonlySet<string> = new Set([...Object.keys(FUNCTIONS), ...Object.keys(ARITY)])

/** Compiles a Go template (text/template with docker's functions). Throws TemplateError. */
export function compile(source: string): (data: unknown, options?: EvaluateOptions) => string {
  const template = parseTemplate(source, NAMES)
  return (data, options) => evaluate(template, data, options)
}
