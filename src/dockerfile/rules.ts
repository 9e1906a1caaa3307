/** BuildKit's build checks (docs.docker.com, "Build checks"): name, what is wrong in general. */
export const checkRules = {
  StageNameCasing: 'Stage names should be lowercase',
  FromAsCasing: "The 'as' keyword should match the case of the 'from' keyword",
  NoEmptyContinuation: 'Empty continuation lines will become errors in a future release',
  ConsistentInstructionCasing: 'All commands within the Dockerfile should use the same casing (either upper or lower)',
  DuplicateStageName: 'Stage names should be unique',
  ReservedStageName: 'Reserved words should not be used as stage names',
  JSONArgsRecommended:
    'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
  MaintainerDeprecated: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
  UndefinedArgInFrom: 'FROM command must use declared ARGs',
  WorkdirRelativePath:
    'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
  UndefinedVar: 'Variables should be defined before their use',
  MultipleInstructionsDisallowed: 'Multiple instructions of the same type should not be used in the same stage',
  LegacyKeyValueFormat: 'Legacy key/value format with whitespace separator should not be used',
  RedundantTargetPlatform:
    'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  SecretsUsedInArgOrEnv: 'Sensitive data should not be used in the ARG or ENV commands',
  InvalidDefaultArgInFrom: 'Default value for global ARG results in an empty or invalid base image name',
  FromPlatformFlagConstDisallowed: 'FROM --platform flag should not use a constant value',
  CopyIgnoredFile: 'Attempting to Copy file that is excluded by .dockerignore',
  InvalidDefinitionDescription:
    'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
  ExposeProtoCasing: 'Protocol in EXPOSE instruction should be lowercase',
  ExposeInvalidFormat:
    'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
} as const

export type CheckRule = keyof typeof checkRules

/** These are off unless asked for. */
export const experimentalRules: ReadonlySet<CheckRule> = new Set<CheckRule>(['InvalidDefinitionDescription'])

/** Where a rule is explained. */
export function ruleUrl(rule: CheckRule): string {
  const words = rule.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase()
  return `https://docs.docker.com/go/dockerfile/rule/${words}/`
}

/** `# check=` and BUILDKIT_DOCKERFILE_CHECK: `skip=A,B;error=true;experimental=all`. */
export interface CheckConfig {
  skip: Set<string>
  skipAll: boolean
  error: boolean
  experimental: Set<string>
  experimentalAll: boolean
}

export function parseCheckConfig(text: string): CheckConfig {
  const config: CheckConfig = {
    skip: new Set(),
    skipAll: false,
    error: false,
    experimental: new Set(),
    experimentalAll: false,
  }
  for (const part of text.split(';').filter((piece) => piece.trim() !== '')) {
    const [key = '', value = ''] = part.split('=').map((piece) => piece.trim())
    const names = value.split(',').map((name) => name.trim())
    if (key === 'error') {
      if (!/^(true|false|0|1|t|f)$/i.test(value)) throw new Error(`failed to parse check option "error": ${value}`)
      config.error = /^(true|1|t)$/i.test(value)
    } else if (key === 'skip') {
      if (names.includes('all')) config.skipAll = true
      else config.skip = new Set(names)
    } else if (key === 'experimental') {
      if (names.includes('all')) config.experimentalAll = true
      else config.experimental = new Set(names)
    } else {
      throw new Error(`invalid check option "${key}"`)
    }
  }
  return config
}
