/**
 * Word splitting and variable expansion of Dockerfiles (Dockerfile reference, "Environment replacement"). A small part of
 * what a POSIX shell does (XCU 2.6.2), with the same meaning.
 */
export interface LexOptions {
  /** The character that takes another one's meaning. Default backslash. */
  escape?: string
  /** Quotes stay in the result. */
  rawQuotes?: boolean
  /** Escape characters stay in the result. */
  rawEscapes?: boolean
  /** Quotes mean nothing. */
  ignoreQuotes?: boolean
  /** References to variables that are not set stay as they are. */
  keepUnset?: boolean
}

export type Variables = (name: string) => string | undefined

export interface Expanded {
  text: string
  words: string[]
  /** Names that were asked for and not set. */
  unset: Set<string>
}

/**
 * @throws Error in BuildKit's words; the caller knows the place
 */
export function expand(source: string, variables: Variables, options: LexOptions = {}): Expanded {
  const lexer = new Lexer(source, variables, options)
  try {
    const { text, words } = lexer.run()
    return { text, words, unset: lexer.unset }
  } catch (error) {
    throw new Error(`failed to process ${JSON.stringify(source)}: ${(error as Error).message}`)
  }
}

const isSpace = (c: string) => /\s/u.test(c)
const isDigit = (c: string) => /^\p{Nd}$/u.test(c)
const isNameCharacter = (c: string) => /^[\p{L}\p{Nd}_]$/u.test(c)
const SPECIAL = new Set('@*#?-$!0')
const NO_BRACE = "syntax error: missing '}'"

/** Collects words; what was quoted or escaped never separates. */
class Words {
  readonly list: string[] = []
  #current = ''
  #inWord = false

  add(text: string): void {
    for (const c of text) {
      if (!isSpace(c)) this.addRaw(c)
      else if (this.#inWord && this.#current !== '') this.#finish()
    }
  }

  addRaw(text: string): void {
    this.#current += text
    this.#inWord = true
  }

  done(): string[] {
    if (this.#current !== '') this.#finish()
    return this.list
  }

  #finish(): void {
    this.list.push(this.#current)
    this.#current = ''
    this.#inWord = false
  }
}

class Lexer {
  readonly unset = new Set<string>()
  readonly #source: string[]
  readonly #variables: Variables
  readonly #escape: string
  readonly #options: LexOptions
  #rawEscapes: boolean
  #at = 0

  constructor(source: string, variables: Variables, options: LexOptions) {
    this.#source = [...source]
    this.#variables = variables
    this.#options = options
    this.#escape = options.escape ?? '\\'
    this.#rawEscapes = options.rawEscapes ?? false
  }

  run(): { text: string; words: string[] } {
    return this.#until(undefined, this.#rawEscapes)
  }

  get #peek(): string | undefined {
    return this.#source[this.#at]
  }

  #next(): string | undefined {
    return this.#source[this.#at++]
  }

  #until(stop: string | undefined, rawEscapes: boolean): { text: string; words: string[] } {
    const before = this.#rawEscapes
    this.#rawEscapes = rawEscapes
    const words = new Words()
    let text = ''
    while (this.#peek !== undefined) {
      const c = this.#peek
      if (c === stop) {
        this.#at++
        this.#rawEscapes = before
        return { text, words: words.done() }
      }
      const special = this.#special(c)
      if (special !== undefined) {
        text += special
        if (c === '$') words.add(special)
        else words.addRaw(special)
        continue
      }
      this.#at++
      if (c !== this.#escape) {
        words.add(c)
        text += c
        continue
      }
      if (this.#rawEscapes) {
        words.addRaw(c)
        text += c
      }
      // At the end of the line the escape character means nothing.
      const escaped = this.#next()
      if (escaped === undefined) break
      words.addRaw(escaped)
      text += escaped
    }
    this.#rawEscapes = before
    if (stop !== undefined) throw new Error(`unexpected end of statement while looking for matching ${stop}`)
    return { text, words: words.done() }
  }

  #special(c: string): string | undefined {
    if (c === '$') return this.#dollar()
    if (c === '<') return this.#possibleHeredoc()
    if (this.#options.ignoreQuotes) return undefined
    if (c === "'") return this.#singleQuoted()
    return c === '"' ? this.#doubleQuoted() : undefined
  }

  #quote(c: string): string {
    return this.#options.rawQuotes ? c : ''
  }

  #singleQuoted(): string {
    let text = this.#quote(this.#next()!)
    for (;;) {
      const c = this.#next()
      if (c === undefined) throw new Error('unexpected end of statement while looking for matching single-quote')
      if (c === "'") return text + this.#quote(c)
      text += c
    }
  }

  #doubleQuoted(): string {
    let text = this.#quote(this.#next()!)
    for (;;) {
      const c = this.#peek
      if (c === undefined) throw new Error('unexpected end of statement while looking for matching double-quote')
      if (c === '$') {
        text += this.#dollar()
        continue
      }
      this.#at++
      if (c === '"') return text + this.#quote(c)
      if (c !== this.#escape) {
        text += c
        continue
      }
      if (this.#rawEscapes) text += c
      const escaped = this.#peek
      if (escaped === undefined) continue
      // Only these can be escaped here; elsewhere the escape character stands for itself.
      if (escaped === '"' || escaped === '$' || escaped === this.#escape) text += this.#next()
      else text += c
    }
  }

  /** `<<` with what space follows, so that `<< EOF` is one word. */
  #possibleHeredoc(): string {
    this.#at++
    if (this.#peek !== '<') return '<'
    this.#at++
    let space = ''
    while (' \t\r'.includes(this.#source[this.#at] ?? '-')) space += this.#next()
    return `<<${space}`
  }

  #dollar(): string {
    this.#at++
    if (this.#peek !== '{') {
      const name = this.#name()
      if (name === '') return '$'
      const value = this.#value(name)
      return value === undefined && this.#options.keepUnset ? `$${name}` : (value ?? '')
    }
    this.#at++
    if (this.#peek === undefined) throw new Error(NO_BRACE)
    if ('{}:'.includes(this.#peek)) throw new Error('syntax error: bad substitution')
    return this.#braced(this.#name())
  }

  #braced(name: string): string {
    const operator = this.#next()
    if (operator === undefined) throw new Error(NO_BRACE)
    if (operator === '}') {
      const value = this.#value(name)
      return value === undefined && this.#options.keepUnset ? `\${${name}}` : (value ?? '')
    }
    if (operator === '/') return this.#replaced(name)
    const colon = operator === ':'
    const modifier = (colon ? this.#next() : operator) ?? ''
    const shown = colon ? `:${modifier}` : modifier
    const trims = modifier === '#' || modifier === '%'
    if (colon ? trims : !'+-?#%'.includes(modifier) || modifier === '') throw new Error(unsupported(shown))
    const word = this.#closing('}', trims, NO_BRACE)
    const value = this.#value(name)
    if (value === undefined && this.#options.keepUnset) return `\${${name}${shown}${word}}`
    const missing = value === undefined || (colon && value === '')
    if (modifier === '-') return missing ? word : value
    if (modifier === '+') return missing ? '' : word
    if (modifier === '?') {
      if (!missing) return value
      const reason = value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty'
      throw new Error(`${name}: ${word || reason}`)
    }
    if (!trims) throw new Error(unsupported(shown))
    return trim(value ?? '', word, modifier)
  }

  #replaced(name: string): string {
    const all = this.#peek === '/'
    if (all) this.#at++
    const pattern = this.#closing('/', true, `syntax error: missing '/' in \${}`)
    const replacement = this.#closing('}', true, NO_BRACE)
    const value = this.#value(name)
    if (value === undefined && this.#options.keepUnset) return `\${${name}/${pattern}/${replacement}}`
    const expression = wildcards(pattern, true, false, all ? 'gu' : 'u')
    return (value ?? '').replace(expression, () => replacement)
  }

  #closing(stop: string, rawEscapes: boolean, missing: string): string {
    try {
      return this.#until(stop, rawEscapes).text
    } catch (error) {
      if (this.#peek === undefined) throw new Error(missing)
      throw error
    }
  }

  #name(): string {
    const first = this.#peek
    if (first === undefined) return ''
    let name = ''
    if (isDigit(first)) {
      while (this.#peek !== undefined && isDigit(this.#peek)) name += this.#next()
      return name
    }
    if (SPECIAL.has(first)) return this.#next()!
    while (this.#peek !== undefined && isNameCharacter(this.#peek)) name += this.#next()
    return name
  }

  #value(name: string): string | undefined {
    const value = this.#variables(name)
    if (value === undefined) this.unset.add(name)
    return value
  }
}

const unsupported = (modifier: string) => `unsupported modifier (${modifier}) in substitution`

function trim(value: string, word: string, modifier: string): string {
  const greedy = word.startsWith(modifier)
  const pattern = greedy ? word.slice(1) : word
  if (modifier === '#') return value.replace(wildcards(pattern, greedy, true, 'u'), '')
  // The shortest match at the end is the shortest at the beginning of the reversed text.
  const reversed = [...value].reverse().join('')
  const rest = reversed.replace(wildcards(reversePattern(pattern), greedy, true, 'u'), '')
  return [...rest].reverse().join('')
}

function reversePattern(pattern: string): string {
  return (pattern.match(/\\[\s\S]|[\s\S]/gu) ?? []).reverse().join('')
}

/** `*` and `?` as the shell has them (XCU 2.13.1), without bracket expressions. */
function wildcards(pattern: string, greedy: boolean, anchored: boolean, flags: string): RegExp {
  const characters = [...pattern]
  let out = anchored ? '^' : ''
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!
    if (c === '*') out += greedy ? '.*' : '.*?'
    else if (c === '?') out += '.'
    else if (c === '\\') {
      const escaped = characters[++i]
      if (escaped === undefined || !'*?\\}/'.includes(escaped)) {
        throw new Error(`invalid pattern (${pattern}) in substitution: invalid escape '\\${escaped ?? ''}'`)
      }
      out += escaped === '}' ? '\\}' : escaped === '/' ? '\\/' : `\\${escaped}`
    } else out += /[[\]{}.+()|^$/]/.test(c) ? `\\${c}` : c
  }
  return new RegExp(out, flags)
}
