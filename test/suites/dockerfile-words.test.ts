/** Variable expansion, patterns, modes, git references: the small languages within a Dockerfile. */
import t from 'tap'
import {
  cleanPath,
  elementMatcher,
  expand,
  hasWildcards,
  PatternMatcher,
  parseChmod,
  parseGitReference,
  parseIgnoreFile,
} from '../../src/dockerfile/index.js'

const environment: Readonly<Record<string, string>> = {
  PWD: '/home',
  SHELL: 'bash',
  EMPTY: '',
  WORD: '한국어',
  F: 'foobarfoobar',
  SPACED: 'a  b',
}
const variables = (name: string) => environment[name]

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: they are what is tested
/** undefined: refused. Behaviour of POSIX shells and BuildKit's own cases. */
const expansions: [source: string, text: string | undefined][] = [
  ['plain', 'plain'],
  ["he'll'o", 'hello'],
  ["he'llo", undefined],
  ["he\\'llo", "he'llo"],
  ['"abc\\tdef"', 'abc\\tdef'],
  ['"abc\\\\tdef"', 'abc\\tdef'],
  ['abc\\tdef', 'abctdef'],
  ['end\\', 'end'],
  ['end\\\\', 'end\\'],
  ['"open', undefined],
  ['"open\\"', undefined],
  ["'as \\$PWD is'", 'as \\$PWD is'],
  ['he$PWD', 'he/home'],
  ['he\\$PWD', 'he$PWD'],
  ['"he\\\\$PWD"', 'he\\/home'],
  ['$.', '$.'],
  ['he$1x', 'hex'],
  ['${}', undefined],
  ['${.}', undefined],
  ['${PWD', undefined],
  ['${PWD:=1}', undefined],
  ['${NONE:YYY}', undefined],
  ['${NONE:-a}', 'a'],
  ['${NONE:-${PWD:-y}}', '/home'],
  ['${EMPTY-a}', ''],
  ['${EMPTY:-a}', 'a'],
  ['${PWD:+${SHELL}}x', 'bashx'],
  ['${EMPTY+a}', 'a'],
  ['${EMPTY:+a}', ''],
  ['${NONE?}', undefined],
  ['${EMPTY?}', ''],
  ['${EMPTY:?gone}', undefined],
  ['${NONE:-\\${PWD}z}', '${PWDz}'],
  ['안$WORD', '안한국어'],
  ['$@@', '@'],
  ['${*:-a}', 'a'],
  ['${F#foo}', 'barfoobar'],
  ['${F#f*o}', 'obarfoobar'],
  ['${F##f*o}', 'bar'],
  ['${F%bar}', 'foobarfoo'],
  ['${F%b*}', 'foobarfoo'],
  ['${F%%b*}', 'foo'],
  ['${F/o/0}', 'f0obarfoobar'],
  ['${F//o/0}', 'f00barf00bar'],
  ['${F//foo/}', 'barbar'],
  ['${F/ba?/-}', 'foo-foobar'],
  ['${F/\\*/x}', 'foobarfoobar'],
  ['${PWD/\\//-}', '-home'],
  ['${F:#foo}', undefined],
  ['${F/o}', undefined],
]

t.test('expansion', async (t) => {
  for (const [source, text] of expansions) {
    if (text === undefined) t.throws(() => expand(source, variables), source)
    else t.equal(expand(source, variables).text, text, source)
  }
  t.throws(() => expand('${NONE:?tell them}', variables), { message: /NONE: tell them/ })
  t.strictSame([...expand('$A ${B:-x} $PWD', variables).unset], ['A', 'B'])
  t.equal(expand('c:\\x `$PWD', variables, { escape: '`' }).text, 'c:\\x $PWD')
  t.equal(expand('"a" $PWD', variables, { ignoreQuotes: true }).text, '"a" /home')
})

t.test('words', async (t) => {
  const words = (source: string) => expand(source, variables).words
  t.strictSame(words('a${SPACED}c'), ['aa', 'bc'])
  t.strictSame(words('a"${SPACED}"c d'), ['aa  bc', 'd'])
  t.strictSame(words('a\\ b c'), ['a b', 'c'])
  t.strictSame(words('<< EOF'), ['<< EOF'])
})

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above

const matches: [pattern: string, path: string, matched: boolean][] = [
  ['**', 'dir/file', true],
  ['**/', 'file', true],
  ['**/**', 'dir/file', true],
  ['dir/**', 'dir/a/b', true],
  ['abc/**', 'abc', false],
  ['**/dir', 'dir/file', true],
  ['**/dir2/*', 'dir/dir2/file', true],
  ['**file', 'dir/file', true],
  ['**/file*txt', 'a/b/file.txt', true],
  ['**/**/*.txt2', 'a/b/file.txt', false],
  ['a**/*.txt', 'a/b/c/file.txt', true],
  ['a/*.txt', 'a/b/file.txt', false],
  ['a/*.txt**', 'a/file.txt', true],
  ['a[b-d]e', 'ace', true],
  ['a[^b-d]e', 'ace', false],
  ['[a-ζ]*', 'α', true],
  ['.*', 'foo', false],
  ['abc.def', 'abcZdef', false],
  ['abc?def', 'abcZdef', true],
  ['a?b', 'a/b', false],
  ['a\\*b', 'a*b', true],
  ['a\\\\', 'a\\', true],
  ['**/.foo', 'bar.foo', false],
  ['a.|)$(}+{bc', 'a.|)$(}+{bc', true],
  ['x+1.whl', 'x+1.whl', true],
  ['docs/', 'docs/README.md', true],
  ['./a/../b', 'b', true],
]

t.test('.dockerignore', async (t) => {
  for (const [pattern, path, matched] of matches) {
    t.equal(new PatternMatcher([pattern]).matches(path), matched, `${pattern} on ${path}`)
  }
  const lists: [patterns: string[], path: string, matched: boolean][] = [
    [['docs', '!docs/README.md'], 'docs/README.md', false],
    [['!docs/README.md', 'docs'], 'docs/README.md', true],
    [['**', '!util/web'], 'util/web/foo', false],
    [['**', '!util/web', 'util/web/foo'], 'util/web/foo', true],
    [['*', '!*.md', 'secret.md'], 'secret.md', true],
    [[], 'any', false],
  ]
  for (const [patterns, path, matched] of lists) {
    t.equal(new PatternMatcher(patterns).matches(path), matched, `${patterns} on ${path}`)
  }
  for (const bad of ['[', 'a[', '[]a', '[-]', 'a\\', '!', '[a-']) t.throws(() => new PatternMatcher([bad]), bad)
})

t.test('walking gives what single questions give', async (t) => {
  const matcher = new PatternMatcher(['**', '!a/b', 'a/b/*.o', '!**/keep'])
  for (const path of ['a', 'a/b', 'a/b/c', 'a/b/c.o', 'a/b/keep', 'x/y/keep', 'x/y']) {
    const parts = path.split('/')
    let state = matcher.step(parts[0]!, undefined)
    for (let i = 2; i <= parts.length; i++) state = matcher.step(parts.slice(0, i).join('/'), state.state)
    t.equal(state.matched, matcher.matches(path), path)
  }
  t.ok(new PatternMatcher(['*', '!a/b/c']).mayReturnBelow('a'))
  t.notOk(new PatternMatcher(['*', '!a/b/c']).mayReturnBelow('z'))
  t.notOk(new PatternMatcher(['*', '!a']).mayReturnBelow('a/b'))
})

t.test('the file', async (t) => {
  const text = '\uFEFF# note\n#other\n\n  a/b/ \n/rooted\n! /back/../x\n # spaced\n../up\n!\n'
  t.strictSame(parseIgnoreFile(text), ['a/b', 'rooted', '!x', '# spaced', '../up', '!'])
  t.equal(cleanPath('/../a//b/./c/..'), '/a/b')
  t.equal(cleanPath(''), '.')
})

t.test('globs of one path element', async (t) => {
  t.ok(elementMatcher('*.[ch]')('a.c'))
  t.notOk(elementMatcher('*.[ch]')('a.x'))
  t.ok(elementMatcher('\\*')('*'))
  t.throws(() => elementMatcher('['))
  t.ok(hasWildcards('a*'))
  t.notOk(hasWildcards('a\\*'))
})

t.test('--chmod', async (t) => {
  t.strictSame(parseChmod('0644'), { mode: 0o644 })
  t.match(parseChmod('u=rwX,go-w'), {
    changes: [
      { who: 0o4700, action: '=', permissions: 0o666, conditional: true },
      { who: 0o3077, action: '-', permissions: 0o222 },
    ],
  })
  t.throws(() => parseChmod('888'), { message: /should be octal string and between 0 and 07777/ })
  t.throws(() => parseChmod('10000'))
  t.throws(() => parseChmod('u+q'))
})

t.test('git references', async (t) => {
  t.match(parseGitReference('https://host/a/b.git#main:dir/x'), {
    remote: 'https://host/a/b.git',
    ref: 'main',
    subdirectory: 'dir/x',
  })
  t.match(parseGitReference('git@host:a/b.git'), { remote: 'git@host:a/b.git', ref: undefined })
  t.match(parseGitReference('https://host/b.git?tag=v1&subdir=s&keep-git-dir=1'), {
    ref: 'refs/tags/v1',
    subdirectory: 's',
    keepGitDir: true,
  })
  t.match(parseGitReference('github.com/a/b'), { remote: 'https://github.com/a/b' })
  for (const other of ['https://host/a.tar.gz', 'a/b.git', './x', 'C:/x']) t.equal(parseGitReference(other), undefined)
  for (const bad of [
    'https://host/a.git#--upload-pack=x',
    'https://host/a.git#..:x',
    'https://host/a.git#main:../../etc',
    'https://host/a.git?evil=1',
    'ssh://-oProxyCommand=x/a.git',
  ]) {
    t.throws(() => parseGitReference(bad), bad)
  }
})
