import { compile, Fields, TemplateError } from '../template/index.js'
import { alignTabs } from './tabs.js'

/** A kind of list: its default columns, and the heading of every field. */
export interface ListStyle {
  /** Go's type name, for messages. */
  typeName: string
  /** Template of the default table, without `table`. */
  table: string
  /** Heading per field. */
  headings: Readonly<Record<string, string>>
}

/** Template functions do nothing to a heading. */
const HEADING_FUNCTIONS = Object.fromEntries(
  ['json', 'split', 'join', 'title', 'lower', 'upper', 'pad', 'truncate'].map((name) => [
    name,
    (value: unknown) => value,
  ]),
)

/**
 * Renders rows by `--format`: undefined or `table` is the default table, `table TEMPLATE` a table of one's own, `json` a
 * line per row, anything else a Go template per row.
 */
export function formatList(
  style: ListStyle,
  rows: readonly Record<string, unknown>[],
  format: string | undefined,
): string {
  const fields = rows.map((row) => new Fields(style.typeName, row))
  if (format === 'json') return fields.map((row) => `${escapeHtml(JSON.stringify(row))}\n`).join('')
  const asTable = format === undefined || format === '' || /^table(\s|$)/.test(format)
  const own = (format ?? '').replace(/^table/, '').trim()
  const source = (asTable && own === '' ? style.table : asTable ? own : (format as string))
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n')
  const render = compiled(source)
  const lines = fields.map((row) => `${executed(() => render(row))}\n`)
  if (!asTable) return lines.join('')
  const heading = executed(() =>
    render(new Fields(style.typeName, headingFields(style)), { functions: HEADING_FUNCTIONS }),
  )
  return alignTabs(`${heading}\n${lines.join('')}`)
}

function headingFields(style: ListStyle): Record<string, unknown> {
  return { ...style.headings, Label: (name: string) => (name.split('.').at(-1) as string).replace(/[-_]/g, ' ') }
}

/** Compiles a template, with the message docker puts before the parser's. */
export function compiled(source: string): ReturnType<typeof compile> {
  return worded('failed to parse template', () => compile(source))
}

function executed(body: () => string): string {
  return worded('failed to execute template', body)
}

function worded<T>(what: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (error instanceof TemplateError) throw new TemplateError(`${what}: ${error.message}`, { cause: error })
    throw error
  }
}

/** JSON as Go's encoder writes it by default. */
export function escapeHtml(json: string): string {
  return json.replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)
}
