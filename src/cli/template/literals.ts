const ESCAPES: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** The value of a quoted Go string, raw string or character literal's inside. Throws for an unknown escape. */
export function unquote(literal: string): string {
  const body = literal.slice(1, -1)
  if (literal.startsWith('`')) return body
  return body.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|[\s\S])/g, (_, code: string) => {
    const plain = ESCAPES[code]
    if (plain !== undefined) return plain
    if (code.length === 1) throw new Error(`unknown code sequence \\${code}`)
    const octal = /^[0-7]{3}$/.test(code)
    return String.fromCodePoint(octal ? Number.parseInt(code, 8) : Number.parseInt(code.slice(1), 16))
  })
}

/** The value of a Go number literal. */
export function parseNumber(literal: string): number {
  const text = literal.replaceAll('_', '')
  const negative = text.startsWith('-')
  const digits = text.replace(/^[+-]/, '').replace(/^0(?=[0-7]+$)/, '0o')
  return negative ? -Number(digits) : Number(digits)
}
