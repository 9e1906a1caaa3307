/** The arguments of an instruction, in the forms that instructions have. */

/** Words divided by white space; quotes and escapes stay for the expansion to take off. */
export function splitWords(text: string, token: string): string[] {
  const words: string[] = []
  const characters = [...text]
  let word = ''
  let inWord = false
  let quote = ''
  let hadQuote = false
  const finish = () => {
    if (hadQuote || word !== '') words.push(word)
    word = ''
    hadQuote = inWord = false
  }
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!
    if (quote === '' && /\s/u.test(c)) {
      if (inWord) finish()
      continue
    }
    inWord = true
    if (c === token && quote !== "'") {
      // An escape character at the very end is dropped.
      if (i + 1 < characters.length) word += c + characters[++i]!
      continue
    }
    if (quote !== '') {
      if (c === quote) quote = ''
    } else if (c === "'" || c === '"') {
      quote = c
      hadQuote = true
    }
    word += c
  }
  if (inWord) finish()
  return words
}

/** Words divided by white space and nothing else. */
export const splitPlain = (text: string): string[] => (text === '' ? [] : text.split(/[\t\v\f\r ]+/))

/** One name and value; `legacy`: written with a space in between. */
export interface KeyValue {
  key: string
  value: string
  legacy: boolean
}

/** `name=value ...`, or the old `name value`. */
export function splitKeyValues(text: string, instruction: string, token: string): KeyValue[] {
  const words = splitWords(text, token)
  if (words.length === 0) return []
  if (!words[0]!.includes('=')) {
    const at = text.search(/[\t\v\f\r ]/)
    if (at < 0) throw new Error(`${instruction} must have two arguments`)
    return [{ key: text.slice(0, at), value: text.slice(at).replace(/^[\t\v\f\r ]+/, ''), legacy: true }]
  }
  return words.map((word) => {
    const at = word.indexOf('=')
    if (at < 0) {
      throw new Error(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`)
    }
    return { key: word.slice(0, at), value: word.slice(at + 1), legacy: false }
  })
}

/**
 * A JSON array of strings; undefined when the text is something else.
 *
 * @throws Error for an array with anything but strings in it
 */
export function jsonStrings(text: string): string[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(value)) return undefined
  if (value.some((item) => typeof item !== 'string')) {
    throw new Error('when using JSON array syntax, arrays must be comprised of strings only')
  }
  return value as string[]
}
