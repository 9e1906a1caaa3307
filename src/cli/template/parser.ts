import { failure, lineOf, type Token, type TokenKind, tokenize } from './lexer.js'
import { parseNumber, unquote } from './literals.js'
import type { Command, Expression, Node, Pipe, Place, Template, TemplateError } from './nodes.js'

/** Ends of a list of nodes. */
type Stop = 'end' | 'else' | 'eof'

/**
 * Parses a Go template.
 *
 * @param functions names that may be called
 * @throws TemplateError with Go's words
 */
export function parseTemplate(source: string, functions: ReadonlySet<string>): Template {
  return new Parser(source, functions).parse()
}

class Parser {
  readonly #tokens: Token[]
  #at = 0
  #loops = 0
  readonly #defined = new Map<string, Node[]>()
  #scope: string[] = ['$']

  constructor(
    readonly source: string,
    readonly functions: ReadonlySet<string>,
  ) {
    this.#tokens = tokenize(source)
  }

  parse(): Template {
    const { nodes, stop } = this.#list()
    if (stop !== 'eof') throw this.#error(`unexpected {{${stop}}}`)
    return { root: nodes, defined: this.#defined }
  }

  /** Nodes up to `{{end}}`, `{{else` (the word is consumed, what follows it not) or the end of the source. */
  #list(): { nodes: Node[]; stop: Stop } {
    const nodes: Node[] = []
    for (;;) {
      const token = this.#take()
      if (token.kind === 'end') return { nodes, stop: 'eof' }
      if (token.kind === 'text') nodes.push({ kind: 'text', text: token.text })
      else {
        const word = this.#skipSpace().kind === 'word' ? this.#peek().text : ''
        const statement = Object.hasOwn(this.#statements, word) ? this.#statements[word] : undefined
        if (word === 'end' || word === 'else') {
          this.#take()
          if (word === 'end') this.#close('end')
          return { nodes, stop: word }
        }
        if (statement === undefined) nodes.push({ kind: 'action', pipe: this.#pipe('command') })
        else {
          this.#take()
          nodes.push(...statement(word))
        }
      }
    }
  }

  readonly #statements: Record<string, (word: string) => Node[]> = {
    if: () => [this.#control('if')],
    with: () => [this.#control('with')],
    range: () => [this.#control('range')],
    template: () => [this.#template()],
    define: () => {
      const name = this.#name('define')
      this.#close('define')
      this.#define(name)
      return []
    },
    block: () => {
      const name = this.#name('block')
      const place = this.#place(this.#peek())
      const pipe = this.#pipe('block clause')
      this.#define(name)
      return [{ kind: 'template', name, pipe, place }]
    },
    break: (word) => [this.#jump(word as 'break')],
    continue: (word) => [this.#jump(word as 'continue')],
  }

  #jump(kind: 'break' | 'continue'): Node {
    if (this.#loops === 0) throw this.#error(`{{${kind}}} outside {{range}}`)
    this.#close(kind)
    return { kind }
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    const scope = this.#scope.length
    const pipe = this.#pipe(kind, kind === 'range')
    if (kind === 'range') this.#loops++
    const { nodes: body, stop } = this.#list()
    if (kind === 'range') this.#loops--
    const otherwise = stop === 'else' ? this.#otherwise(kind) : []
    if (stop === 'eof') throw this.#error('unexpected EOF')
    this.#scope.length = scope
    return { kind, pipe, body, otherwise }
  }

  /** What follows `{{else`: `}}` and a list, or `if ...` or `with ...`, which shares the `{{end}}`. */
  #otherwise(kind: string): Node[] {
    const word = this.#skipSpace()
    if (word.kind === 'word' && word.text === kind && kind !== 'range') {
      this.#take()
      return [this.#control(kind as 'if' | 'with')]
    }
    this.#close('else')
    const { nodes, stop } = this.#list()
    if (stop === 'eof') throw this.#error('unexpected EOF')
    if (stop === 'else') throw this.#error('expected end; found {{else}}')
    return nodes
  }

  #define(name: string): void {
    const scope = this.#scope
    this.#scope = ['$']
    const { nodes, stop } = this.#list()
    this.#scope = scope
    if (stop !== 'end') throw this.#error(stop === 'eof' ? 'unexpected EOF' : 'unexpected {{else}} in define clause')
    this.#defined.set(name, nodes)
  }

  #template(): Node {
    const place = this.#place(this.#peek())
    const name = this.#name('template clause')
    if (this.#skipSpace().kind === 'close') {
      this.#take()
      return { kind: 'template', name, pipe: undefined, place }
    }
    return { kind: 'template', name, pipe: this.#pipe('template clause'), place }
  }

  #name(context: string): string {
    const token = this.#skipSpace()
    if (token.kind !== 'string') throw this.#error(`unexpected ${describe(token)} in ${context}`)
    this.#take()
    return this.#unquote(token)
  }

  /** A pipeline up to and including `}}` (or `)` inside parentheses). */
  #pipe(context: string, range = false, end: TokenKind = 'close'): Pipe {
    const place = this.#place(this.#skipSpace())
    const { variables, declare } = this.#declaration(range)
    const commands: Command[] = []
    for (;;) {
      const token = this.#skipSpace()
      if (token.kind === end) {
        this.#take()
        if (commands.length === 0) throw this.#error(`missing value for ${context}`)
        for (const [index, command] of commands.entries()) {
          if (index > 0 && ['literal', 'dot', 'nil'].includes(command.args[0]?.kind as string)) {
            throw this.#error(`non executable command in pipeline stage ${index + 1}`)
          }
        }
        if (declare) this.#scope.push(...variables)
        return { variables, declare, commands, place }
      }
      commands.push(this.#command(context))
    }
  }

  #declaration(range: boolean): { variables: string[]; declare: boolean } {
    const start = this.#at
    const variables: string[] = []
    while (this.#skipSpace().kind === 'variable') {
      variables.push(this.#take().text)
      const token = this.#skipSpace()
      if (token.kind === 'declare' || token.kind === 'assign') {
        this.#take()
        if (token.kind === 'assign') for (const name of variables) this.#check(name)
        return { variables, declare: token.kind === 'declare' }
      }
      if (token.kind !== 'comma' || !range || variables.length > 1) break
      this.#take()
    }
    this.#at = start
    return { variables: [], declare: false }
  }

  #command(context: string): Command {
    const args: Expression[] = []
    const place = this.#place(this.#skipSpace())
    for (;;) {
      const token = this.#skipSpace()
      if (token.kind === 'close' || token.kind === 'rightParen') break
      if (token.kind === 'pipe') {
        this.#take()
        const next = this.#skipSpace().kind
        if (next === 'close' || next === 'rightParen') throw this.#error(`missing value for ${context}`)
        break
      }
      args.push(this.#operand(context))
      const after = this.#peek()
      if (!['space', 'close', 'rightParen', 'pipe'].includes(after.kind))
        throw this.#error(`unexpected ${describe(after)} in operand`)
    }
    if (args.length === 0) throw this.#error('empty command')
    return { args, place }
  }

  #operand(context: string): Expression {
    const token = this.#take()
    const place = this.#place(token)
    const parse = this.#operands[token.kind]
    if (parse === undefined) throw this.#error(`unexpected ${describe(token)} in ${context}`)
    const target = parse(token, place)
    const second = this.#place(this.#peek())
    const names = this.#fields()
    if (names.length === 0) return target
    place.text += names.map((name) => `.${name}`).join('')
    if (target.kind === 'field' || target.kind === 'variable') {
      // Go's parser puts a chain of fields where its second one stands.
      return { ...target, names: [...target.names, ...names], place: { ...second, text: place.text } }
    }
    if (target.kind === 'dot') return { kind: 'field', names, place }
    if (target.kind === 'literal' || target.kind === 'nil')
      throw this.#error(`unexpected . after term ${JSON.stringify(token.text)}`)
    return { kind: 'chain', target, names, place }
  }

  readonly #operands: Partial<Record<TokenKind, (token: Token, place: Place) => Expression>> = {
    dot: (_, place) => ({ kind: 'dot', place }),
    field: (token, place) => ({ kind: 'field', names: [token.text.slice(1)], place }),
    variable: (token, place) => {
      this.#check(token.text)
      return { kind: 'variable', name: token.text, names: [], place }
    },
    string: (token, place) => ({ kind: 'literal', value: this.#unquote(token), place }),
    char: (token, place) => ({ kind: 'literal', value: this.#unquote(token).codePointAt(0) as number, place }),
    number: (token, place) => ({ kind: 'literal', value: parseNumber(token.text), place }),
    leftParen: (_, place) => {
      const pipe = this.#pipe('parenthesized pipeline', false, 'rightParen')
      return { kind: 'pipe', pipe, place }
    },
    word: (token, place) => {
      if (token.text === 'true' || token.text === 'false')
        return { kind: 'literal', value: token.text === 'true', place }
      if (token.text === 'nil') return { kind: 'nil', place }
      if (!this.functions.has(token.text)) throw this.#error(`function "${token.text}" not defined`)
      return { kind: 'function', name: token.text, place }
    },
  }

  #fields(): string[] {
    const names: string[] = []
    while (this.#peek().kind === 'field') names.push(this.#take().text.slice(1))
    return names
  }

  #check(name: string): void {
    if (!this.#scope.includes(name)) throw this.#error(`undefined variable "${name}"`)
  }

  #unquote(token: Token): string {
    try {
      return unquote(token.text)
    } catch {
      throw this.#error(`invalid syntax: ${token.text}`)
    }
  }

  #close(context: string): void {
    const token = this.#skipSpace()
    if (token.kind !== 'close') throw this.#error(`unexpected ${describe(token)} in ${context}`)
    this.#take()
  }

  #skipSpace(): Token {
    while (this.#peek().kind === 'space') this.#at++
    return this.#peek()
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token
  }

  #take(): Token {
    const token = this.#peek()
    if (this.#at < this.#tokens.length - 1) this.#at++
    return token
  }

  #place(token: Token): Place {
    const lineStart = this.source.lastIndexOf('\n', token.at - 1) + 1
    return { line: lineOf(this.source, token.at), column: token.at - lineStart, text: token.text }
  }

  #error(message: string): TemplateError {
    return failure(this.source, this.#peek().at, message)
  }
}

function describe(token: Token): string {
  if (token.kind === 'end') return 'EOF'
  return token.kind === 'close' ? '"}}"' : `<${token.text}>`
}
