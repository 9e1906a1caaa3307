import { DockerfileError, type Location } from './error.js'
import { expand } from './lex.js'
import { jsonStrings, type KeyValue, splitKeyValues, splitPlain, splitWords } from './words.js'

export interface Heredoc {
  name: string
  /** Descriptor it would be given to: `3<<EOF`. */
  descriptor: number
  /** Variables are expanded: its name was not quoted. */
  expand: boolean
  /** `<<-`: tabs at the beginning of lines go. */
  chomp: boolean
  content: string
}

/** One instruction as it is written. */
export interface Statement {
  /** As written; compare in lower case. */
  keyword: string
  /** `--name=value`, quotes taken off. */
  flags: string[]
  /** The arguments, divided as this instruction wants it. */
  args: string[]
  /** ENV and LABEL. */
  pairs: KeyValue[]
  /** The arguments were a JSON array. */
  json: boolean
  heredocs: Heredoc[]
  /** ONBUILD: the instruction to run later. */
  trigger?: Statement
  /** The whole instruction on one line. */
  original: string
  /** Comment lines right before it. */
  comments: string[]
  location: Location
}

export interface Directive {
  name: 'syntax' | 'escape' | 'check'
  value: string
  line: number
}

export interface ParsedDockerfile {
  source: string
  statements: Statement[]
  directives: Directive[]
  escape: string
  /** Lines of instructions that have empty lines within. */
  emptyContinuations: Location[]
}

const DIRECTIVE = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/
const DIRECTIVES = new Set(['syntax', 'escape', 'check'])
const MAX_LINE = 65_535

const isComment = (line: string) => line.trimStart().startsWith('#')

/** Divides a Dockerfile into instructions. */
export function parseStatements(text: string): ParsedDockerfile {
  return new Parser(text).run()
}

class Parser {
  readonly #source: string
  readonly #lines: string[]
  readonly #directives: Directive[] = []
  readonly #statements: Statement[] = []
  readonly #emptyContinuations: Location[] = []
  #escape = '\\'
  #at = 0
  #comments: string[] = []

  constructor(text: string) {
    this.#source = text.replace(/^\uFEFF/, '')
    this.#lines = this.#source.split('\n')
    if (this.#lines.at(-1) === '') this.#lines.pop()
  }

  run(): ParsedDockerfile {
    this.#readDirectives()
    while (this.#at < this.#lines.length) this.#readStatement()
    if (this.#statements.length === 0) {
      throw new DockerfileError('file with no instructions', {
        line: Math.max(this.#at, 1),
        column: 1,
        endLine: this.#at,
      })
    }
    return {
      source: this.#source,
      statements: this.#statements,
      directives: this.#directives,
      escape: this.#escape,
      emptyContinuations: this.#emptyContinuations,
    }
  }

  /** Only the first lines can be directives. */
  #readDirectives(): void {
    for (; this.#at < this.#lines.length; this.#at++) {
      const match = DIRECTIVE.exec(this.#line(this.#at).trimStart())
      const name = match?.[1]?.toLowerCase()
      if (match === null || name === undefined || !DIRECTIVES.has(name)) return
      const place = this.#place(this.#at, this.#at)
      if (this.#directives.some((directive) => directive.name === name)) {
        throw new DockerfileError(`only one ${name} parser directive can be used`, place)
      }
      const value = match[2]!
      if (name === 'escape') {
        if (value !== '\\' && value !== '`') {
          throw new DockerfileError(`invalid escape token '${value}' does not match \` or \\`, place)
        }
        this.#escape = value
      }
      this.#directives.push({ name: name as Directive['name'], value, line: this.#at + 1 })
    }
  }

  #readStatement(): void {
    const first = this.#at
    const begin = this.#line(this.#at++)
    if (isComment(begin)) {
      const comment = begin.trimStart().slice(1).trim()
      if (comment === '') this.#comments = []
      else this.#comments.push(comment)
      return
    }
    let { text, goesOn } = this.#continuation(begin.trimStart())
    if (!goesOn && text.trim() === '') return
    let hasEmptyLine = false
    while (goesOn && this.#at < this.#lines.length) {
      const line = this.#line(this.#at++)
      if (isComment(line)) continue
      if (line.trim() === '') {
        hasEmptyLine = true
        continue
      }
      const more = this.#continuation(line)
      text += more.text
      goesOn = more.goesOn
    }
    if (text.length > MAX_LINE) {
      const message = `dockerfile line greater than max allowed size of ${MAX_LINE}`
      throw new DockerfileError(message, this.#place(first, this.#at - 1))
    }
    const last = this.#at - 1
    if (hasEmptyLine) this.#emptyContinuations.push(this.#place(first, last))
    if (text.trim() === '') return
    const statement = this.#located(first, last, () => this.#statement(text))
    statement.heredocs = this.#located(first, last, () => this.#heredocs(statement, text, first))
    if (statement.trigger !== undefined) statement.trigger.heredocs = statement.heredocs
    statement.location = this.#place(first, this.#at - 1)
    statement.comments = this.#comments
    this.#comments = []
    this.#statements.push(statement)
  }

  /** A line without the character that continues it. */
  #continuation(line: string): { text: string; goesOn: boolean } {
    const trimmed = line.replace(/[ \t]+$/, '')
    if (!trimmed.endsWith(this.#escape)) return { text: line, goesOn: false }
    const text = trimmed.slice(0, -1)
    // Preceded by another one it is escaped itself.
    return text.endsWith(this.#escape) ? { text: line, goesOn: false } : { text, goesOn: true }
  }

  #statement(text: string): Statement {
    const original = text
    const line = text.trim()
    const at = line.search(/[\t\v\f\r ]/)
    const keyword = at < 0 ? line : line.slice(0, at)
    const { flags, rest } = at < 0 ? { flags: [], rest: '' } : takeFlags(line.slice(at), this.#escape)
    const statement: Statement = {
      keyword,
      flags,
      args: [],
      pairs: [],
      json: false,
      heredocs: [],
      original,
      comments: [],
      location: { line: 0, column: 0, endLine: 0 },
    }
    this.#arguments(statement, rest.trim())
    return statement
  }

  #arguments(statement: Statement, rest: string): void {
    const array = (otherwise: (text: string) => string[]) => {
      const json = jsonStrings(rest)
      statement.json = json !== undefined
      statement.args = json ?? otherwise(rest)
    }
    const whole = (text: string) => (text === '' ? [] : [text])
    switch (statement.keyword.toLowerCase()) {
      case 'env':
      case 'label':
        statement.pairs = splitKeyValues(rest, statement.keyword.toUpperCase(), this.#escape)
        break
      case 'arg':
        statement.args = splitWords(rest, this.#escape)
        break
      case 'add':
      case 'copy':
      case 'volume':
        array(splitPlain)
        break
      case 'cmd':
      case 'entrypoint':
      case 'run':
      case 'shell':
        array(whole)
        break
      case 'expose':
      case 'from':
        statement.args = splitPlain(rest)
        break
      case 'healthcheck': {
        const [, type = '', command = ''] = /^(\S*)\s*([\s\S]*)$/.exec(rest) ?? []
        const json = jsonStrings(command)
        statement.json = json !== undefined
        statement.args = [...whole(type), ...(json ?? whole(command))]
        break
      }
      case 'onbuild':
        if (rest !== '') statement.trigger = this.#statement(rest)
        break
      default:
        statement.args = whole(rest)
    }
  }

  #heredocs(statement: Statement, line: string, first: number): Heredoc[] {
    const inner = statement.trigger ?? statement
    if (!/^(add|copy|run)$/i.test(inner.keyword) || inner.json || !line.includes('<<')) return []
    const { words } = expandSafely(line)
    return words.flatMap((word) => {
      const heredoc = parseHeredoc(word)
      if (heredoc === undefined) return []
      return [{ ...heredoc, content: this.#heredocContent(heredoc, first) }]
    })
  }

  #heredocContent({ name, chomp }: Heredoc, first: number): string {
    let content = ''
    while (this.#at < this.#lines.length) {
      const raw = this.#lines[this.#at++]!
      const line = raw.replace(/[\r\n]+$/, '')
      if ((chomp ? line.replace(/^\t+/, '') : line) === name) return content
      content += `${raw}\n`
    }
    throw new DockerfileError('unterminated heredoc', this.#place(first, this.#at - 1))
  }

  #line(index: number): string {
    return this.#lines[index]!.replace(/\r+$/, '')
  }

  #place(first: number, last: number): Location {
    const indentation = /^\s*/.exec(this.#lines[first] ?? '')![0].length
    return { line: first + 1, column: indentation + 1, endLine: last + 1 }
  }

  #located<T>(first: number, last: number, act: () => T): T {
    try {
      return act()
    } catch (error) {
      if (error instanceof DockerfileError) throw error
      const message = `dockerfile parse error on line ${first + 1}: ${(error as Error).message}`
      throw new DockerfileError(message, this.#place(first, last))
    }
  }
}

/** Words of a line with everything kept, for finding here-documents. */
function expandSafely(line: string): { words: string[] } {
  try {
    return expand(line, () => undefined, { rawQuotes: true, rawEscapes: true, keepUnset: true })
  } catch {
    return { words: [] }
  }
}

/** `<<EOF`, `3<<-"EOF"`; undefined for any other word. */
export function parseHeredoc(word: string): Heredoc | undefined {
  const match = /^(\d*)<<(-?)\s*([^<]*)$/.exec(word)
  const rest = match?.[3] ?? ''
  if (match === null || rest === '') return undefined
  const none = () => undefined
  const plain = expand(rest, none, { keepUnset: true }).words
  if (plain.length !== 1) return undefined
  const raw = expand(rest, none, { keepUnset: true, rawQuotes: true }).words
  const quotes = (text: string) => text.replace(/[^'"]/g, '').length
  return {
    name: plain[0]!,
    descriptor: Number(match[1]),
    expand: quotes(plain[0]!) === quotes(raw[0] ?? ''),
    chomp: match[2] === '-',
    content: '',
  }
}

/** The text of a here-document as it is used. */
export const heredocText = ({ chomp, content }: Heredoc): string => (chomp ? content.replace(/^\t+/gm, '') : content)

/** Takes the `--flags` off the beginning. A lone `--` ends them. */
function takeFlags(text: string, token: string): { flags: string[]; rest: string } {
  const flags: string[] = []
  let at = 0
  for (;;) {
    while (at < text.length && /\s/.test(text[at]!)) at++
    if (!text.startsWith('--', at)) return { flags, rest: text.slice(at) }
    let word = ''
    let quote = ''
    for (; at < text.length; at++) {
      const c = text[at]!
      if (quote === '' && /\s/.test(c)) break
      if (c === token) {
        word += text[++at] ?? ''
      } else if (quote !== '' ? c === quote : c === "'" || c === '"') {
        quote = quote === '' ? c : ''
      } else {
        word += c
      }
    }
    if (word === '--') return { flags, rest: text.slice(at) }
    flags.push(word)
  }
}
