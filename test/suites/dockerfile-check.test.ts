/** The build checks, one Dockerfile for each rule. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import t from 'tap'
import {
  type CheckRule,
  checkDockerfile,
  checkRules,
  parseCheckConfig,
  parseDockerfile,
} from '../../src/dockerfile/index.js'

const predefined = { TARGETPLATFORM: 'linux/amd64', TARGETARCH: 'amd64', TARGETOS: 'linux' }

function check(
  text: string,
  config = '',
  ignored?: (path: string) => boolean,
): [rule: string, line: number, detail: string][] {
  const options = { config: parseCheckConfig(config), buildArgs: {}, predefined, ...(ignored && { ignored }) }
  return checkDockerfile(parseDockerfile(text), options).map(({ rule, location, detail }) => [
    rule,
    location.line,
    detail,
  ])
}

const findings: Record<CheckRule, [text: string, line: number, detail: string]> = {
  StageNameCasing: ['FROM a AS Build', 1, "Stage name 'Build' should be lowercase"],
  FromAsCasing: ['FROM a as b', 1, "'as' and 'FROM' keywords' casing do not match"],
  NoEmptyContinuation: ['FROM a\nRUN b \\\n\nc', 2, 'Empty continuation line'],
  ConsistentInstructionCasing: [
    'FROM a\nrun b\nRUN c',
    2,
    "Command 'run' should match the case of the command majority (uppercase)",
  ],
  DuplicateStageName: ['FROM a AS b\nFROM c AS b', 2, 'Duplicate stage name "b", stage names should be unique'],
  ReservedStageName: ['FROM a AS scratch', 1, 'Stage name should not use the same name as reserved stage "scratch"'],
  JSONArgsRecommended: [
    'FROM a\nCMD b',
    2,
    'JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
  ],
  MaintainerDeprecated: ['FROM a\nMAINTAINER me', 2, 'Maintainer instruction is deprecated in favor of using label'],
  UndefinedArgInFrom: [
    'ARG VERSION=1\nFROM a:${VERSIO:-1}',
    2,
    "FROM argument 'VERSIO' is not declared (did you mean VERSION?)",
  ],
  WorkdirRelativePath: [
    'FROM a\nWORKDIR b',
    2,
    'Relative workdir "b" can have unexpected results if the base image changes',
  ],
  UndefinedVar: ['FROM a\nENV NAME=1\nLABEL x=$NAMF', 3, "Usage of undefined variable '$NAMF' (did you mean $NAME?)"],
  MultipleInstructionsDisallowed: [
    'FROM a\nCMD ["b"]\nCMD ["c"]',
    2,
    'Multiple CMD instructions should not be used in the same stage because only the last one will be used',
  ],
  LegacyKeyValueFormat: [
    'FROM a\nENV b c',
    2,
    '"ENV key=value" should be used instead of legacy "ENV key value" format',
  ],
  RedundantTargetPlatform: [
    'FROM --platform=$TARGETPLATFORM a',
    1,
    'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  ],
  SecretsUsedInArgOrEnv: [
    'FROM a\nARG DB_PASSWORD',
    2,
    'Do not use ARG or ENV instructions for sensitive data (ARG "DB_PASSWORD")',
  ],
  InvalidDefaultArgInFrom: [
    'ARG TAG\nFROM a:$TAG',
    2,
    'Default value for ARG a:$TAG results in empty or invalid base image name',
  ],
  FromPlatformFlagConstDisallowed: [
    'FROM --platform=linux/arm64 a',
    1,
    'FROM --platform flag should not use constant value "linux/arm64"',
  ],
  CopyIgnoredFile: ['FROM a\nCOPY secret /', 2, 'Attempting to Copy file "secret" that is excluded by .dockerignore'],
  InvalidDefinitionDescription: ['# something\nARG a=1\nFROM b', 1, ''],
  ExposeProtoCasing: [
    'FROM a\nEXPOSE 80/TCP',
    2,
    "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
  ],
  ExposeInvalidFormat: [
    'FROM a\nEXPOSE 1.2.3.4:80:80',
    2,
    "EXPOSE instruction should not define an IP address or host-port mapping, found '1.2.3.4:80:80'",
  ],
}

t.test('each rule', async (t) => {
  t.strictSame(Object.keys(findings).sort(), Object.keys(checkRules).sort())
  const ignored = (path: string) => path === 'secret'
  for (const [rule, [text, line, detail]] of Object.entries(findings)) {
    if (rule === 'InvalidDefinitionDescription') continue
    t.strictSame(check(text, '', ignored), [[rule, line, detail]], rule)
    t.strictSame(check(text, `skip=${rule}`, ignored), [], `${rule} is skipped`)
    t.strictSame(check(text, 'skip=all', ignored), [])
  }
})

t.test('descriptions are checked when asked for', async (t) => {
  const text = 'FROM a\n# something\nARG b'
  t.strictSame(check(text), [])
  t.match(check(text, 'experimental=all'), [
    ['InvalidDefinitionDescription', 3, 'Comment for ARG should follow the format: `# b <description>`'],
  ])
  t.strictSame(check('FROM a\n# b is good\nARG b', 'experimental=InvalidDefinitionDescription'), [])
})

t.test('nothing is said of what is right', async (t) => {
  const good = [
    'ARG VERSION=1',
    'FROM --platform=$BUILDPLATFORM a:${VERSION} AS build',
    'ARG VERSION TARGETARCH',
    'ENV A=1 PUBLIC_KEY=x',
    'WORKDIR /x',
    'WORKDIR y',
    'COPY $A ${VERSION} $TARGETARCH /d/',
    'SHELL ["/bin/bash", "-c"]',
    'CMD x',
    'FROM build AS amd64',
    'LABEL a=$A path=$PATH',
  ].join('\n')
  const options = {
    config: parseCheckConfig(''),
    buildArgs: {},
    predefined: { ...predefined, BUILDPLATFORM: 'linux/amd64' },
  }
  t.strictSame(checkDockerfile(parseDockerfile(good), options), [])
  t.throws(() => parseCheckConfig('nonsense=1'))
})
