/** The Dockerfile's grammar. The cases are those that BuildKit's parser is tested with, said in our own words. */
import t from 'tap'
import { DockerfileError, excerpt, parseDockerfile } from '../../src/dockerfile/index.js'
import { parseStatements, type Statement } from '../../src/dockerfile/parse.js'

/** An instruction as a list: keyword, flags, arguments. */
function shape(statement: Statement): unknown[] {
  if (statement.trigger !== undefined) return [statement.keyword.toLowerCase(), shape(statement.trigger)]
  const pairs = statement.pairs.map(({ key, value, legacy }) => [key, value, ...(legacy ? ['legacy'] : [])])
  return [statement.keyword.toLowerCase(), ...statement.flags, ...statement.args, ...pairs]
}

const shapes = (text: string) => parseStatements(text).statements.map(shape)

const statements: [what: string, text: string, ...shapes: unknown[][]][] = [
  ['tabs divide', 'FROM\tbase:1', ['from', 'base:1']],
  ['keywords in any case', 'from base\nRuN x', ['from', 'base'], ['run', 'x']],
  ['a line goes on', 'RUN a\\\n  b', ['run', 'a  b']],
  ['spaces after the continuation character', 'RUN a  \\  \nb', ['run', 'a  b']],
  ['lines of nothing but the character', 'RUN a \\\n \\\n b\\\n\\\n c', ['run', 'a   b c']],
  ['comments and empty lines within', 'RUN a \\\n# note\n\n# other\nb', ['run', 'a b']],
  ['the last line goes on', 'ENV a=b \\\n c=d \\', ['env', ['a', 'b'], ['c', 'd']]],
  ['an escaped character does not continue', 'RUN a\\\\\nRUN b', ['run', 'a\\\\'], ['run', 'b']],
  ['old and new ENV', 'ENV a b c\nENV a=b c=d', ['env', ['a', 'b c', 'legacy']], ['env', ['a', 'b'], ['c', 'd']]],
  ['quotes stay for later', `ENV a="b c" d='e "f"' g=h\\ i`, ['env', ['a', '"b c"'], ['d', `'e "f"'`], ['g', 'h\\ i']]],
  ['JSON commands', 'CMD [ "a b", "\\"c\\u00e9" ]', ['cmd', 'a b', '"cé']],
  ['broken JSON is a shell command', "CMD ['a', 'b']", ['cmd', "['a', 'b']"]],
  ['unterminated JSON too', 'CMD ["a", "b"', ['cmd', '["a", "b"']],
  ['JSON copies', 'COPY [ "a b", "/c" ]', ['copy', 'a b', '/c']],
  ['flags', 'COPY --chown=me --link a b', ['copy', '--chown=me', '--link', 'a', 'b']],
  ['flags end at --', 'COPY --link -- --a b', ['copy', '--link', '--a', 'b']],
  ['quotes in flags go', 'RUN --mount="type=tmpfs,target=/a b" x', ['run', '--mount=type=tmpfs,target=/a b', 'x']],
  ['an empty list after flags', 'CMD --doit -- [ ]', ['cmd', '--doit']],
  ['ONBUILD', 'ONBUILD COPY --from=a b c', ['onbuild', ['copy', '--from=a', 'b', 'c']]],
  ['HEALTHCHECK', 'HEALTHCHECK --retries=3 CMD ["a","b"]', ['healthcheck', '--retries=3', 'CMD', 'a', 'b']],
  ['HEALTHCHECK in the shell', 'HEALTHCHECK   CMD   a b', ['healthcheck', 'CMD', 'a b']],
  ['ARG', 'ARG a b="c d" e=', ['arg', 'a', 'b="c d"', 'e=']],
  ['Windows line ends', 'FROM a\r\nRUN b \\\r\n c\r\n', ['from', 'a'], ['run', 'b  c']],
  ['a byte order mark', '\uFEFFFROM a', ['from', 'a']],
  ['another escape character', '# escape=`\nCOPY a `\n c:\\', ['copy', 'a', 'c:\\']],
  ['a directive after a comment is a comment', '# note\n# escape=`\nRUN a \\\nb', ['run', 'a b']],
]

t.test('instructions', async (t) => {
  for (const [what, text, ...expected] of statements) t.strictSame(shapes(text), expected, what)
})

const broken: [text: string, message: RegExp, line: number, column?: number][] = [
  ['', /file with no instructions/, 1],
  ['# nothing\n\n', /file with no instructions/, 2],
  ['FROM a\nENV b', /ENV must have two arguments/, 2],
  ['FROM a\nENV b=c d', /can't find = in "d"/, 2],
  ['FROM a\nCMD [["b"]]', /arrays must be comprised of strings only/, 2],
  ['FROM a\n  RUNN b', /line 2: unknown instruction: RUNN \(did you mean RUN\?\)/, 2, 3],
  ['FROM a\nCPY b c', /unknown instruction: CPY \(did you mean COPY\?\)/, 2],
  ['FROM a\nCOPY --chwon=1 b c', /unknown flag: --chwon \(did you mean chown\?\)/, 2, 6],
  ['FROM a\nCOPY --link --link b c', /duplicate flag specified: --link/, 2],
  ['FROM a\nCOPY --link=maybe b c', /expecting boolean value for flag --link, not: maybe/, 2],
  ['FROM a\nCOPY b', /COPY requires at least two arguments, but only one was provided/, 2],
  ['FROM a AS 1b', /invalid name for build stage: "1b"/, 1],
  ['FROM a b', /FROM requires either one or three arguments/, 1],
  ['RUN a', /no build stage in current context/, 1],
  ['ARG a', /contains no stages to build/, 1],
  ['# escape=x\nFROM a', /invalid escape token 'x'/, 1],
  ['# syntax=a\n# syntax=b\nFROM a', /only one syntax parser directive can be used/, 2],
  ['FROM a\nRUN <<E\nb', /unterminated heredoc/, 2],
  ['FROM a\nCOPY b <<E\nE', /COPY cannot accept a heredoc as a destination/, 2],
  ['FROM a\nONBUILD ONBUILD RUN b', /Chaining ONBUILD/, 2],
  ['FROM a\nONBUILD FROM b', /FROM isn't allowed as an ONBUILD trigger/, 2],
  ['FROM a\nSHELL bash -c', /SHELL requires the arguments to be in JSON form/, 2],
  ['FROM a\nHEALTHCHECK CONNECT b', /Unknown type "CONNECT" in HEALTHCHECK \(try CMD\)/, 2],
  ['FROM a\nHEALTHCHECK --interval=1us CMD b', /cannot be less than 1ms/, 2],
  ['FROM a\nHEALTHCHECK NONE b', /HEALTHCHECK NONE takes no arguments/, 2],
  ['FROM a\nRUN --network=hots b', /invalid network mode: "hots" \(did you mean host\?\)/, 2],
  ['FROM a\nRUN --mount=type=cahce,target=/b c', /unsupported mount type "cahce" \(did you mean cache\?\)/, 2],
  ['FROM a\nRUN --mount=target=/b,sorce=c d', /unexpected key 'sorce' in 'sorce=c' \(did you mean source\?\)/, 2, 23],
  ['FROM a\nRUN --mount=type=secret b', /one of source, target required/, 2],
  ['FROM a\nRUN --mount=type=bind,from=$x,target=/b c', /'from' doesn't support variable expansion/, 2],
  ['FROM a\nVOLUME [""]', /can not be an empty string/, 2],
  ['FROM a\nARG =b', /ARG names can not be blank/, 2],
  ['FROM a\nSTOPSIGNAL', /STOPSIGNAL requires exactly one argument/, 2],
]

t.test('errors say what, where and what was meant', async (t) => {
  for (const [text, message, line, column] of broken) {
    try {
      parseDockerfile(text)
      t.fail(`${JSON.stringify(text)} was taken`)
    } catch (error) {
      t.ok(error instanceof DockerfileError, `${JSON.stringify(text)}: ${(error as Error).message}`)
      const { location, message: said } = error as DockerfileError
      t.match(said, message, JSON.stringify(text))
      t.equal(location.line, line, `line of ${said}`)
      if (column !== undefined) t.equal(location.column, column, `column of ${said}`)
    }
  }
})

t.test('here-documents', async (t) => {
  const text = [
    'FROM a',
    'RUN <<EOF cat',
    'one $x',
    'EOF',
    'COPY <<-"A" <<B.txt c /d/',
    '\tfirst',
    '\tA',
    'second',
    'B.txt',
    'RUN 3<<X cat <<Y',
    'X',
    'y',
    'Y',
    'RUN echo "<<no"',
    'ONBUILD RUN <<Z',
    'later',
    'Z',
  ].join('\n')
  const [stage] = parseDockerfile(text).stages
  const [cat, copy, two, plain, onbuild] = stage!.instructions
  t.match(cat, { kind: 'run', heredocs: [{ name: 'EOF', content: 'one $x\n', expand: true }] })
  t.match(copy, {
    kind: 'copy',
    sources: ['c'],
    target: '/d/',
    inline: [
      { name: 'A', content: 'first\n', expand: false },
      { name: 'B.txt', content: 'second\n', expand: true },
    ],
  })
  t.match(two, {
    heredocs: [
      { name: 'X', descriptor: 3, content: '' },
      { name: 'Y', content: 'y\n' },
    ],
  })
  t.strictSame((plain as { heredocs: unknown[] }).heredocs, [])
  t.match(onbuild, { kind: 'onbuild', expression: 'RUN <<Z\nlater\nZ' })
  t.strictSame(cat!.location, { line: 2, column: 1, endLine: 4 })
})

t.test('stages', async (t) => {
  const dockerfile = parseDockerfile(
    '# syntax=docker/dockerfile:1\n# check=skip=all\nARG v=1\nFROM --platform=linux/amd64 a:$v AS Build\nRUN x\nFROM build\n',
  )
  t.strictSame(
    dockerfile.directives.map(({ name, value }) => [name, value]),
    [
      ['syntax', 'docker/dockerfile:1'],
      ['check', 'skip=all'],
    ],
  )
  t.match(dockerfile.globals, [{ args: [{ name: 'v', value: '1' }] }])
  t.match(dockerfile.stages, [
    { name: 'build', from: { base: 'a:$v', platform: 'linux/amd64' }, instructions: [{ kind: 'run' }] },
    { name: '', from: { base: 'build' } },
  ])
})

t.test('HEALTHCHECK in nanoseconds', async (t) => {
  const text = 'FROM a\nHEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=2ms --retries=4 CMD b c'
  t.match(parseDockerfile(text).stages[0]!.instructions[0], {
    check: { Test: ['CMD-SHELL', 'b c'], Interval: 90e9, Timeout: 1.5e9, StartPeriod: 2e6, Retries: 4 },
  })
})

t.test('the lines around an error', async (t) => {
  const text = ['FROM a', 'RUN b', 'RUNN c \\', '  d', 'RUN e', 'RUN f', 'RUN g'].join('\n')
  t.equal(
    excerpt(text, { line: 3, column: 1, endLine: 4 }, 'other/Dockerfile'),
    [
      'other/Dockerfile:3',
      '--------------------',
      '   1 |     FROM a',
      '   2 |     RUN b',
      '   3 | >>> RUNN c \\',
      '   4 | >>>   d',
      '   5 |     RUN e',
      '   6 |     RUN f',
      '--------------------',
    ].join('\n'),
  )
})
