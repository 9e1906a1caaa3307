/**
 * Outcomes of other people's test cases for the Dockerfile language: those of BuildKit's parser and shell words, of
 * moby's pattern matcher and of Go's path matching. JUBAKO_BUILDKIT, a checkout of BuildKit, adds its parser's own files.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  type CommandLine,
  type Dockerfile,
  expand,
  PatternMatcher,
  parseDockerfile,
  parseGitReference,
} from '../../src/dockerfile/index.js'
import { parseStatements, type Statement } from '../../src/dockerfile/parse.js'
import { CHECKOUT } from '../helpers/checkout.js'

type Variables = Readonly<Record<string, string>>

/** A case that ends before its outcome is refused. */
interface Facts {
  /** With PWD, SHELL, KOREAN and an empty NULL. */
  expansions: [source: string, text?: string][]
  /** Last: names that were not set. */
  expansionsOf: [source: string, variables: Variables, text?: string, unset?: string[]][]
  words: [source: string, variables: Variables, words?: string[]][]
  matches: [pattern: string, path: string, matched: boolean][]
  lists: [patterns: string[], path: string, matched: boolean][]
  globs: [pattern: string, path: string, matched?: boolean][]
}

const facts = JSON.parse(readFileSync(join(CHECKOUT, 'test/fixtures/dockerfile-facts.json'), 'utf8')) as Facts

/** The outcome of something that may be refused. */
function outcome<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}

/** The tables of the field have no spaces at the ends of columns. */
const trimmed = (text: string) => text.trimEnd()

t.test('expansion', async (t) => {
  const shell: Variables = { PWD: '/home', SHELL: 'bash', KOREAN: '한국어', NULL: '' }
  t.ok(facts.expansions.length > 200)
  for (const [source, text] of facts.expansions) {
    t.equal(
      outcome(() => expand(source, (name) => shell[name]).text),
      text,
      source,
    )
  }
  for (const [source, variables, text, unset = []] of facts.expansionsOf) {
    const expanded = outcome(() => expand(source, (name) => variables[name]))
    t.equal(expanded?.text, text, source)
    if (expanded !== undefined) t.strictSame([...expanded.unset].sort(), [...unset].sort(), `${source}: not set`)
  }
  for (const [source, variables, words] of facts.words) {
    t.strictSame(
      outcome(() => expand(source, (name) => variables[name]).words)?.map(trimmed),
      words?.map(trimmed),
      source,
    )
  }
})

t.test('patterns', async (t) => {
  const matches = (patterns: string[], path: string) => outcome(() => new PatternMatcher(patterns).matches(path))
  for (const [pattern, path, matched] of facts.matches)
    t.equal(matches([pattern], path), matched, `${pattern} on ${path}`)
  for (const [patterns, path, matched] of facts.lists)
    t.equal(matches(patterns, path), matched, `${patterns} on ${path}`)
  for (const [pattern, path, matched] of facts.globs)
    t.equal(matches([pattern], path), matched, `${pattern} on ${path}`)
})

t.test('here-documents', async (t) => {
  const of = (line: string, ...names: string[]) => {
    const text = `FROM a\n${line}\n${names.map((name) => `in ${name}\n${name}\n`).join('')}`
    return outcome(() => parseStatements(text).statements[1]!.heredocs)
  }
  const lines: [line: string, names: string[], shape?: object][] = [
    ['RUN <<EOF', ['EOF'], { expand: true, chomp: false }],
    ["RUN <<'EOF'", ['EOF'], { expand: false }],
    ['RUN <<"EOF"', ['EOF'], { expand: false }],
    ['RUN <<-EOF', ['EOF'], { chomp: true }],
    ["RUN <<-'EOF'", ['EOF'], { expand: false, chomp: true }],
    ['RUN <<EO"F"', ['EOF'], { expand: false }],
    ["RUN <<eo'f'", ['eof'], { expand: false }],
    ["RUN <<eo\\'f", ["eo'f"], { expand: true }],
    ["RUN <<'e'o\\'f", ["eo'f"], { expand: false }],
    ["RUN <<'one two'", ['one two'], { expand: false }],
    ['RUN <<$EOF', ['$EOF'], { expand: true }],
    ['RUN << EOF', ['EOF']],
    ['RUN << -EOF', ['-EOF'], { chomp: false }],
    ['RUN <<  EOF  > foo', ['EOF']],
    ['RUN 4<<EOF', ['EOF'], { descriptor: 4 }],
    ['RUN <<EOF <<EOF2', ['EOF', 'EOF2']],
    ['RUN <<EOF python3', ['EOF']],
    ['RUN --mount=type=cache,target=/foo <<EOF', ['EOF']],
    ['COPY <<file.txt /dest', ['file.txt']],
    ["RUN '<<EOF'", []],
    ['RUN "<<EOF"', []],
    ['RUN ["<<EOF"]', []],
    ['RUN <<- EOF', []],
    ['RUN a <<<EOF', []],
    ["RUN <<'EOF", []],
    ['RUN <<EOF"', []],
    ['USER <<EOF', []],
  ]
  for (const [line, names, shape = {}] of lines) {
    const found = of(line, ...names)
    t.strictSame(
      found?.map(({ name, content }) => [name, content]),
      names.map((name) => [name, `in ${name}\n`]),
      line,
    )
    if (names.length > 0) t.match(found?.[0], shape, line)
  }
})

const first = (text: string) => parseDockerfile(`FROM a\n${text}`).stages[0]!.instructions[0]!

t.test('instructions', async (t) => {
  const words: [text: string, args: string[]][] = [
    ['CMD [ ]', []],
    ['CMD [""]', ['']],
    ['CMD [\t"a",\t"b"\t]', ['a', 'b']],
    ['CMD ["abc 123", "♥", "\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0000"]', ['abc 123', '♥', '" \\ / \b \f \n \r \t \0']],
    ['CMD ["a" b', ['["a" b']],
  ]
  for (const [text, args] of words) t.strictSame((first(text) as { command: CommandLine }).command.args, args, text)
  for (const other of ['42', '123.456', '{}', '{"c": "d"}', '["c"]', 'true', 'false', 'null']) {
    t.throws(() => first(`RUN ["a",${other},"b"]`), /must be comprised of strings only/, other)
  }
  const refused: [text: string, message: RegExp][] = [
    ...['MAINTAINER', 'WORKDIR', 'USER', 'STOPSIGNAL'].map((word): [string, RegExp] => [
      word,
      new RegExp(`${word} requires exactly one argument`),
    ]),
    ...['ENV', 'LABEL', 'ONBUILD', 'HEALTHCHECK', 'EXPOSE', 'VOLUME'].map((word): [string, RegExp] => [
      word,
      new RegExp(`${word} requires at least one argument`),
    ]),
    ...['ADD a', 'COPY a'].map((word): [string, RegExp] => [word, /requires at least two arguments, but only one/]),
    ['MAINTAINER --boo a', /unknown flag: --boo/],
    ['COPY\t\n', /COPY requires at least two arguments/],
    ['ONBUILD ONBUILD RUN b', /Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed/],
    ['HEALTHCHECK --interval=50ns CMD a', /cannot be less than 1ms/],
  ]
  for (const [text, message] of refused) t.throws(() => first(text), { message }, text)
  t.ok(first('HEALTHCHECK --interval=0ms --timeout=1ms CMD a'))
})

t.test('directives', async (t) => {
  const directives = (text: string) =>
    outcome(() => parseDockerfile(text).directives.map(({ name, value }) => [name, value]))
  const cases: [text: string, found: string[][]][] = [
    ['# EScape=\\\n# KEY = FOO\nFROM a', [['escape', '\\']]],
    ['# syntax = dockerfile:experimental // opts\nFROM a', [['syntax', 'dockerfile:experimental // opts']]],
    ['\uFEFF# syntax = front\nFROM a', [['syntax', 'front']]],
    ['# a note\n# syntax = x\nFROM a', []],
    ['\n# check=skip=all\nFROM a', []],
    ['FROM a\n# syntax=x', []],
  ]
  for (const [text, found] of cases) t.strictSame(directives(text), found, JSON.stringify(text))
})

t.test('git references', async (t) => {
  const cases: [text: string, found: object | undefined | 'refused'][] = [
    ['https://example.com/', undefined],
    ['https://example.com/foo', undefined],
    ['https://example.com/foo.git', { remote: 'https://example.com/foo.git', ref: undefined }],
    ['https://example.com/foo.git#deadbeef', { ref: 'deadbeef' }],
    ['https://example.com/foo.git#release/1.2', { ref: 'release/1.2' }],
    ['https://example.com/foo.git/', undefined],
    ['https://example.com/foo.git.bar', undefined],
    ['git://example.com/foo', { remote: 'git://example.com/foo' }],
    ['github.com/moby/buildkit#master', { ref: 'master' }],
    ['custom.xyz/moby/buildkit.git', undefined],
    ['https://foo:bar@github.com/moby/buildkit.git', { remote: 'https://foo:bar@github.com/moby/buildkit.git' }],
    ['git@bitbucket.org:a/b.git', { remote: 'git@bitbucket.org:a/b.git' }],
    ['https://github.com/foo/bar.git#baz/qux:quux/quuz', { ref: 'baz/qux', subdirectory: 'quux/quuz' }],
    ['http://github.com/docker/docker.git:#branch', undefined],
    ['https://github.com/docker/docker.git#:myfolder', { ref: undefined, subdirectory: 'myfolder' }],
    ['./.git', undefined],
    ['.git', undefined],
    ['https://github.com/a/b.git?ref=v1.0.0&subdir=/subdir', { ref: 'v1.0.0', subdirectory: '/subdir' }],
    ['git@github.com:a/b.git?subdir=/subdir#v1.0.0', { ref: 'v1.0.0', subdirectory: '/subdir' }],
    ['https://github.com/a/b.git?tag=v1.0.0', { ref: 'refs/tags/v1.0.0' }],
    ['github.com/a/b?tag=v1.0.0', { ref: 'refs/tags/v1.0.0' }],
    ['https://github.com/a/b.git?branch=v1.0', { ref: 'refs/heads/v1.0' }],
    ['https://github.com/a/b.git?submodules=false', { submodules: false }],
    ['https://github.com/a/b.git?mtime=checkout', { remote: 'https://github.com/a/b.git' }],
    ['https://github.com/a/b.git?mtime=invalid', 'refused'],
    ['https://github.com/a/b.git?ref=v1.0.0#v1.2.3', 'refused'],
    ['https://github.com/a/b.git?ref=v1.0.0&tag=v1.2.3', 'refused'],
    ['https://github.com/a/b.git?tag=v1.0.0&branch=v1.0', 'refused'],
    ['https://github.com/a/b.git?invalid=123', 'refused'],
  ]
  for (const [text, found] of cases) {
    if (found === 'refused') t.throws(() => parseGitReference(text), text)
    else if (found === undefined) t.equal(parseGitReference(text), undefined, text)
    else t.match(parseGitReference(text), found, text)
  }
})

/** BuildKit's form of a parsed instruction. */
function dump({ keyword, flags, trigger, pairs, args }: Statement): string {
  const quoted = (text: string) => JSON.stringify(text).replaceAll('\\u0000', '\\x00')
  const parts = [keyword.toLowerCase()]
  if (flags.length > 0) parts.push(`[${flags.map(quoted).join(' ')}]`)
  if (trigger !== undefined) parts.push(`(${dump(trigger)})`)
  for (const { key, value, legacy } of pairs) parts.push(quoted(key), quoted(value), quoted(legacy ? '' : '='))
  return [...parts, ...args.map(quoted)].join(' ')
}

const checkout = process.env.JUBAKO_BUILDKIT
if (checkout !== undefined) {
  t.test("files of BuildKit's parser", async (t) => {
    const parser = join(checkout, 'frontend/dockerfile/parser')
    const read = (...path: string[]) => readFileSync(join(parser, ...path), 'utf8')
    for (const name of readdirSync(join(parser, 'testfiles'))) {
      const { statements } = parseStatements(read('testfiles', name, 'Dockerfile'))
      t.strictSame(
        statements.map((one) => `(${dump(one)})`),
        read('testfiles', name, 'result').trim().split('\n'),
        name,
      )
    }
    for (const name of readdirSync(join(parser, 'testfiles-negative'))) {
      t.equal(
        outcome((): Dockerfile => parseDockerfile(read('testfiles-negative', name, 'Dockerfile'))),
        undefined,
        name,
      )
    }
    t.ok(existsSync(join(parser, 'testfile-line')))
    const lines = parseStatements(read('testfile-line/Dockerfile')).statements.map(({ location }) => [
      location.line,
      location.endLine,
    ])
    t.strictSame(lines, [
      [5, 5],
      [11, 12],
      [17, 31],
    ])
  })
}
