import { TemplateError } from './nodes.js'

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'word'
  | 'field'
  | 'variable'
  | 'string'
  | 'number'
  | 'char'
  | 'dot'
  | 'declare'
  | 'assign'
  | 'pipe'
  | 'comma'
  | 'leftParen'
  | 'rightParen'
  | 'space'
  | 'end'

export interface Token {
  kind: TokenKind
  text: string
  /** Offset in the source. */
  at: number
}

/** Patterns of what may stand between `{{` and `}}`, tried in order. */
const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ['space', /[ \t\r\n]+/y],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['char', /'(?:[^'\\\n]|\\.[^']*)'/y],
  [
    'number',
    /[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)(?![\p{L}\p{N}_])/uy,
  ],
  ['declare', /:=/y],
  ['assign', /=/y],
  ['pipe', /\|/y],
  ['comma', /,/y],
  ['leftParen', /\(/y],
  ['rightParen', /\)/y],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\./y],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
]

/** Cuts a template into tokens. Comments are dropped, trim markers (`{{-`, `-}}`) applied. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = []
  let trimNext = false
  for (let at = 0; at < source.length; ) {
    const open = source.indexOf('{{', at)
    const textEnd = open < 0 ? source.length : open
    const trimLeft = open >= 0 && /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4))
    let text = source.slice(at, textEnd)
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '')
    if (trimLeft) text = text.replace(/[ \t\r\n]+$/, '')
    if (text !== '') tokens.push({ kind: 'text', text, at })
    if (open < 0) break
    const action = lexAction(source, open, open + (trimLeft ? 3 : 2), tokens)
    at = action.end
    trimNext = action.trimRight
  }
  tokens.push({ kind: 'end', text: '', at: source.length })
  return tokens
}

const CLOSE = /([ \t\r\n]+-)?\}\}/y
const COMMENT = /[ \t\r\n]*\/\*[\s\S]*?\*\/([ \t\r\n]+-)?\}\}/y

function lexAction(source: string, open: number, start: number, tokens: Token[]): { end: number; trimRight: boolean } {
  COMMENT.lastIndex = start
  const comment = COMMENT.exec(source)
  if (comment) return { end: COMMENT.lastIndex, trimRight: comment[1] !== undefined }
  tokens.push({ kind: 'open', text: '{{', at: open })
  let parens = 0
  for (let at = start; at < source.length; ) {
    CLOSE.lastIndex = at
    const close = CLOSE.exec(source)
    if (close) {
      if (parens > 0) throw failure(source, at, 'unclosed left paren')
      tokens.push({ kind: 'close', text: '}}', at })
      return { end: CLOSE.lastIndex, trimRight: close[1] !== undefined }
    }
    const token = next(source, at)
    if (token.kind === 'leftParen') parens++
    if (token.kind === 'rightParen' && --parens < 0) throw failure(source, at, 'unexpected right paren')
    tokens.push(token)
    at += token.text.length
  }
  throw failure(source, source.length, 'unclosed action')
}

function next(source: string, at: number): Token {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at
    const match = pattern.exec(source)
    if (match) return { kind, text: match[0], at }
  }
  const rest = source.slice(at)
  if (/^["`]/.test(rest))
    throw failure(source, at, rest.startsWith('"') ? 'unterminated quoted string' : 'unterminated raw quoted string')
  if (rest.startsWith("'")) throw failure(source, at, 'unterminated character constant')
  if (/^[+-]?[0-9]/.test(rest))
    throw failure(source, at, `bad number syntax: ${JSON.stringify(/^[^\s}|)]+/.exec(rest)?.[0])}`)
  throw failure(source, at, `unexpected ${JSON.stringify(rest[0])} in action`)
}

/** A parse error with its line, as Go words it. */
export function failure(source: string, at: number, message: string): TemplateError {
  return new TemplateError(`template: :${lineOf(source, at)}: ${message}`)
}

export function lineOf(source: string, at: number): number {
  return source.slice(0, at).split('\n').length
}
