/**
 * Patterns of `.dockerignore` and `--exclude`: Go's filepath.Match with `**`, as the patternmatcher of the Moby project
 * has it, which is what all builders of Dockerfiles use.
 */
interface Pattern {
  text: string
  exclusion: boolean
  test: (path: string) => boolean
}

/** Lexically shortest form of a path, as Go's path.Clean gives it. */
export function cleanPath(path: string): string {
  if (path === '') return '.'
  const rooted = path.startsWith('/')
  const out: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') out.push(part)
    else if (out.length > 0 && out.at(-1) !== '..') out.pop()
    else if (!rooted) out.push('..')
  }
  return (rooted ? '/' : '') + out.join('/') || '.'
}

const bad = (pattern: string) => new Error(`syntax error in pattern: ${pattern}`)

/** Go's check of a pattern's form. */
function checkForm(pattern: string): void {
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === '\\') {
      if (++i >= pattern.length) throw bad(pattern)
    } else if (pattern[i] === '[') {
      i = checkClass(pattern, i)
    }
  }
}

function checkClass(pattern: string, start: number): number {
  let i = start + 1
  if (pattern[i] === '^') i++
  for (let ranges = 0; ; ranges++) {
    if (pattern[i] === ']' && ranges > 0) return i
    i = checkClassCharacter(pattern, i)
    if (pattern[i] === '-') i = checkClassCharacter(pattern, i + 1)
  }
}

function checkClassCharacter(pattern: string, at: number): number {
  const i = pattern[at] === '\\' ? at + 1 : at
  if (i >= pattern.length || pattern[at] === '-' || pattern[at] === ']') throw bad(pattern)
  const next = i + (pattern.codePointAt(i)! > 0xffff ? 2 : 1)
  if (next >= pattern.length) throw bad(pattern)
  return next
}

function compile(pattern: string): (path: string) => boolean {
  const characters = [...pattern]
  let out = ''
  let kind: 'exact' | 'prefix' | 'suffix' | 'expression' = 'exact'
  for (let i = 0, token = 0; i < characters.length; token++) {
    const c = characters[i++]!
    if (c === '*' && characters[i] === '*') {
      i++
      if (characters[i] === '/') i++
      if (i >= characters.length) {
        if (kind === 'exact') kind = 'prefix'
        else {
          out += '.*'
          kind = 'expression'
        }
      } else {
        out += '(.*/)?'
        kind = 'expression'
      }
      if (token === 0) kind = 'suffix'
    } else if (c === '*') {
      out += '[^/]*'
      kind = 'expression'
    } else if (c === '?') {
      out += '[^/]'
      kind = 'expression'
    } else if (c === '\\') {
      const escaped = characters[i++]
      out += escaped === undefined ? '\\\\' : escapeCharacter(escaped)
      kind = 'expression'
    } else if (c === '[') {
      const end = classEnd(characters, i)
      out += characterClass(characters.slice(i, end))
      i = end + 1
      kind = 'expression'
    } else {
      out += escapeCharacter(c)
    }
  }
  if (kind === 'exact') return (path) => path === pattern
  if (kind === 'prefix') return prefixTest(pattern)
  if (kind === 'suffix') return suffixTest(pattern)
  const expression = new RegExp(`^${out}$`, 'su')
  return (path) => expression.test(path)
}

function prefixTest(pattern: string): (path: string) => boolean {
  const prefix = pattern.replace(/\*\*\/?$/, '')
  return (path) => path.startsWith(prefix)
}

function suffixTest(pattern: string): (path: string) => boolean {
  const suffix = pattern.slice(2)
  return (path) => path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1))
}

const escapeCharacter = (c: string) => (/[\\^$.*+?()[\]{}|/]/.test(c) ? `\\${c}` : c)

function classEnd(characters: string[], from: number): number {
  let i = characters[from] === '^' ? from + 1 : from
  for (let first = true; i < characters.length; i++, first = false) {
    if (characters[i] === '\\') i++
    else if (characters[i] === ']' && !first) return i
  }
  return i
}

function characterClass(inner: string[]): string {
  let out = '['
  for (let i = 0; i < inner.length; i++) {
    const c = inner[i]!
    if (i === 0 && c === '^') out += '^'
    else if (c === '-') out += '-'
    else if (c === '\\') out += `\\${inner[++i] ?? '\\'}`
    else out += /[\\\][^]/.test(c) ? `\\${c}` : c
  }
  return `${out}]`
}

/** Which patterns a directory matched: what is below it starts from there. */
export type MatchState = readonly boolean[]

export class PatternMatcher {
  readonly #patterns: Pattern[]
  /** Some pattern takes back what another one matched. */
  readonly hasExclusions: boolean

  /** @throws Error for a malformed pattern */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns
      .map((text) => text.trim())
      .filter((text) => text !== '')
      .map((text) => {
        const cleaned = cleanPath(text)
        const exclusion = cleaned.startsWith('!')
        if (cleaned === '!') throw new Error('illegal exclusion pattern: "!"')
        const pattern = exclusion ? cleaned.slice(1) : cleaned
        checkForm(pattern)
        return { text: pattern, exclusion, test: compile(pattern) }
      })
    this.hasExclusions = this.#patterns.some(({ exclusion }) => exclusion)
  }

  get isEmpty(): boolean {
    return this.#patterns.length === 0
  }

  /** Whether the path or a directory above it is matched at the end of the list. */
  matches(path: string): boolean {
    return this.step(path, undefined).matched
  }

  /** As {@link matches}, from what is known of the directory it is in. */
  step(path: string, parent: MatchState | undefined): { matched: boolean; state: MatchState } {
    let matched = false
    const state = this.#patterns.map(({ exclusion, test }, i) => {
      let match = parent?.[i] ?? false
      if (!match) {
        if (exclusion !== matched) return false
        match = test(path) || (parent === undefined && parents(path).some(test))
      }
      if (match) matched = !exclusion
      return match
    })
    return { matched, state }
  }

  /** Whether something below a matched directory may be taken back: then it has to be looked into. */
  mayReturnBelow(directory: string): boolean {
    return this.#patterns.some(({ text, exclusion }) => {
      if (!exclusion) return false
      if (text.includes('**') && /^\*\*|\/\*\*/.test(text)) return true
      const wanted = text.split('/')
      const have = directory.split('/')
      return wanted.length > have.length && have.every((part, i) => compile(wanted[i]!)(part))
    })
  }
}

function parents(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'))
}

/** The patterns of a `.dockerignore` file. */
export function parseIgnoreFile(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const inverted = line.startsWith('!')
      const pattern = inverted ? line.slice(1).trim() : line
      if (pattern === '') return '!'
      const cleaned = cleanPath(pattern)
      return (inverted ? '!' : '') + (cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned)
    })
}

/** Go's filepath.Match for one path element: the globs of COPY and ADD. */
export function elementMatcher(pattern: string): (name: string) => boolean {
  checkForm(pattern)
  const characters = [...pattern]
  let out = ''
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!
    if (c === '*') out += '[^/]*'
    else if (c === '?') out += '[^/]'
    else if (c === '\\') out += escapeCharacter(characters[++i] ?? '\\')
    else if (c === '[') {
      const end = classEnd(characters, i + 1)
      out += characterClass(characters.slice(i + 1, end))
      i = end
    } else out += escapeCharacter(c)
  }
  const expression = new RegExp(`^${out}$`, 'su')
  return (name) => expression.test(name)
}

export function hasWildcards(text: string): boolean {
  return /(?<!\\)(?:\\\\)*[*?[]/.test(text)
}
