/** Text that is HTML already. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | readonly Html[]

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string): string => text.replace(/[&<>"']/g, (it) => escapes[it]!)

function textOf(part: Part): string {
  if (part instanceof Html) return part.text
  return typeof part === 'string' || typeof part === 'number' ? escaped(String(part)) : part.map(textOf).join('')
}

/** A template: what is put in is escaped unless it is HTML already. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((it, i) => it + (i < parts.length ? textOf(parts[i]!) : '')).join(''))
}

/** Bytes for people, in docker's decimal units. */
export function bytes(count: number): string {
  let value = count
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    if (value < 1000) return `${unit === 'B' ? value : value.toPrecision(3)} ${unit}`
    value /= 1000
  }
  return `${value.toPrecision(3)} TB`
}
