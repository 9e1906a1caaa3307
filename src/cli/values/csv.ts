/** The fields of one CSV record (RFC 4180): commas separate, double quotes enclose, `""` is a quote inside quotes. */
export function parseCsvLine(text: string): string[] {
  const fields: string[] = []
  let at = 0
  do {
    const quoted = /"((?:[^"]|"")*)"(?=,|$)/y
    quoted.lastIndex = at
    const match = quoted.exec(text)
    if (match) {
      fields.push((match[1] as string).replaceAll('""', '"'))
      at = quoted.lastIndex
    } else {
      const comma = text.indexOf(',', at)
      const field = text.slice(at, comma < 0 ? undefined : comma)
      if (field.includes('"')) throw new Error(`bare or unfinished double quote in '${field}'`)
      fields.push(field)
      at += field.length
    }
  } while (text[at++] === ',')
  return fields
}
