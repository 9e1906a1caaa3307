import { CodedError, EXIT } from '../exit-codes.js'
import { compile, TemplateError } from '../template/index.js'

/** One object by `--format`: undefined gives the fallback, `json` a line of JSON, anything else a Go template. */
export function formatObject(
  value: Record<string, unknown>,
  format: string | undefined,
  fallback: () => string,
): string {
  if (format === undefined || format === '') return fallback()
  if (format === 'json') return `${JSON.stringify(value)}\n`
  return `${renderObject(compileObject(format), value)}\n`
}

/** Compiles a template for whole objects. */
export function compileObject(format: string): ReturnType<typeof compile> {
  try {
    return compile(format)
  } catch (error) {
    throw new CodedError(`template parsing error: ${(error as Error).message}`, EXIT.template, { cause: error })
  }
}

/** Executes a template on a plain object; a key that is not there is an error. */
export function renderObject(render: ReturnType<typeof compile>, value: unknown): string {
  try {
    return render(value, { missingKey: 'error' })
  } catch (error) {
    throw new TemplateError(`template parsing error: ${(error as Error).message}`, { cause: error })
  }
}
