import type { Location } from './error.js'
import type { Instruction, InstructionOf } from './instructions.js'
import { expand } from './lex.js'
import { type CheckConfig, type CheckRule, checkRules, experimentalRules, ruleUrl } from './rules.js'
import type { Dockerfile, Stage } from './stages.js'
import { didYouMean, nearest } from './suggest.js'

/** One finding of the build checks. */
export interface CheckWarning {
  rule: CheckRule
  description: string
  url: string
  detail: string
  location: Location
}

export interface CheckOptions {
  config: CheckConfig
  /** Values given from outside. */
  buildArgs: Readonly<Record<string, string>>
  /** Names and values that are always there: TARGETPLATFORM and so on. */
  predefined: Readonly<Record<string, string>>
  /** Environment of a base image, as far as it is known. */
  baseEnv?: (reference: string) => readonly string[] | undefined
  /** Whether `.dockerignore` leaves a path of the context out. */
  ignored?: (path: string) => boolean
}

const SECRET = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i
const NO_SECRET = /(?:_|^)public(?:_|$)/i

/** Runs all build checks over a Dockerfile. */
export function checkDockerfile(dockerfile: Dockerfile, options: CheckOptions): CheckWarning[] {
  const warnings: CheckWarning[] = []
  const { config } = options
  const report = (rule: CheckRule, location: Location, detail: string) => {
    if (config.skipAll || config.skip.has(rule)) return
    if (experimentalRules.has(rule) && !config.experimentalAll && !config.experimental.has(rule)) return
    warnings.push({ rule, description: checkRules[rule], url: ruleUrl(rule), detail, location })
  }
  for (const location of dockerfile.emptyContinuations) {
    report('NoEmptyContinuation', location, 'Empty continuation line')
  }
  checkCasing(dockerfile, report)
  checkStages(dockerfile, options, report)
  return warnings.sort((a, b) => a.location.line - b.location.line)
}

type Report = (rule: CheckRule, location: Location, detail: string) => void

function checkCasing({ stages }: Dockerfile, report: Report): void {
  const all: Instruction[] = stages.flatMap(({ from, instructions }) => [from, ...instructions])
  const lower = all.filter(({ keyword }) => keyword === keyword.toLowerCase()).length
  const upper = all.filter(({ keyword }) => keyword === keyword.toUpperCase()).length
  const majority = lower > upper ? 'lowercase' : 'uppercase'
  for (const { keyword, location } of all) {
    if (keyword === (majority === 'lowercase' ? keyword.toLowerCase() : keyword.toUpperCase())) continue
    report(
      'ConsistentInstructionCasing',
      location,
      `Command '${keyword}' should match the case of the command majority (${majority})`,
    )
  }
}

function checkStages(dockerfile: Dockerfile, options: CheckOptions, report: Report): void {
  const globals = globalValues(dockerfile, options)
  const environments = new Map<string, Scope>()
  const seen = new Set<string>()
  for (const stage of dockerfile.stages) {
    checkFrom(stage, globals, dockerfile, options, report)
    if (stage.name !== '' && seen.has(stage.name)) {
      report(
        'DuplicateStageName',
        stage.from.location,
        `Duplicate stage name ${JSON.stringify(stage.name)}, stage names should be unique`,
      )
    }
    const scope = new Scope(stage, environments, globals, options)
    new StageCheck(stage, scope, options, report).run()
    seen.add(stage.name)
    environments.set(String(stage.index), scope)
    if (stage.name !== '') environments.set(stage.name, scope)
  }
}

/** Values of ARG before the first FROM; undefined: declared without one. */
function globalValues(
  { globals }: Dockerfile,
  { buildArgs, predefined }: CheckOptions,
): Map<string, string | undefined> {
  const values = new Map<string, string | undefined>()
  const get = (name: string) => values.get(name) ?? predefined[name]
  for (const { args } of globals) {
    for (const { name, value } of args) {
      values.set(name, buildArgs[name] ?? (value === undefined ? undefined : tryExpand(value, get).text))
    }
  }
  return values
}

function tryExpand(text: string, get: (name: string) => string | undefined): { text: string; unset: Set<string> } {
  try {
    return expand(text, get)
  } catch {
    return { text, unset: new Set() }
  }
}

function checkFrom(
  stage: Stage,
  globals: Map<string, string | undefined>,
  dockerfile: Dockerfile,
  { predefined, buildArgs }: CheckOptions,
  report: Report,
): void {
  const { from } = stage
  const { location } = from
  const get = (name: string) => globals.get(name) ?? predefined[name]
  const names = [...globals.keys(), ...Object.keys(predefined)]
  for (const text of [from.base, from.platform ?? '']) {
    for (const name of tryExpand(text, get).unset) {
      if (globals.has(name)) continue
      report('UndefinedArgInFrom', location, `FROM argument '${name}' is not declared${didYouMean(name, names)}`)
    }
  }
  const defaults = globalValues(dockerfile, { config: undefined as never, buildArgs: {}, predefined })
  if (from.base.includes('$') && Object.keys(buildArgs).length === 0) {
    const base = tryExpand(from.base, (name) => defaults.get(name) ?? predefined[name]).text
    if (!/^[\w][\w./:@-]*$/.test(base) || /[:/@]$/.test(base)) {
      report(
        'InvalidDefaultArgInFrom',
        location,
        `Default value for ARG ${from.base} results in empty or invalid base image name`,
      )
    }
  }
  checkPlatform(stage, report)
  const [asKeyword, written] = [/\s+(as)\s+\S+\s*$/i.exec(from.original)?.[1], /(\S+)\s*$/.exec(from.original)?.[1]]
  if (stage.name === '' || asKeyword === undefined) return
  if (written !== written?.toLowerCase()) {
    report('StageNameCasing', location, `Stage name '${written}' should be lowercase`)
  }
  const casing = from.keyword === from.keyword.toLowerCase() ? 'toLowerCase' : 'toUpperCase'
  if (from.keyword === from.keyword[casing]() && asKeyword !== asKeyword[casing]()) {
    report('FromAsCasing', location, `'${asKeyword}' and '${from.keyword}' keywords' casing do not match`)
  }
  if (stage.name === 'context' || stage.name === 'scratch') {
    report('ReservedStageName', location, `Stage name should not use the same name as reserved stage "${stage.name}"`)
  }
  checkDescription(from, 'FROM', [stage.name], report)
}

function checkPlatform({ from, name }: Stage, report: Report): void {
  if (from.platform === undefined) return
  const variable = /^\$\{?TARGETPLATFORM\}?$/.exec(from.platform)
  if (variable !== null) {
    report(
      'RedundantTargetPlatform',
      from.location,
      `Setting platform to predefined ${from.platform} in FROM is redundant as this is the default behavior`,
    )
  } else if (!from.platform.includes('$') && !from.platform.split('/').some((part) => name.includes(part))) {
    report(
      'FromPlatformFlagConstDisallowed',
      from.location,
      `FROM --platform flag should not use constant value "${from.platform}"`,
    )
  }
}

function checkDescription({ comments, location }: Instruction, what: string, names: string[], report: Report): void {
  const last = comments.at(-1)
  if (last === undefined || names.length === 0 || names.includes(last.split(' ')[0]!)) return
  const example = names.length > 1 ? '<arg_key>' : names[0]
  report(
    'InvalidDefinitionDescription',
    location,
    `Comment for ${what} should follow the format: \`# ${example} <description>\``,
  )
}

/** The variables that a stage's instructions see. */
class Scope {
  readonly values = new Map<string, string>()
  /** Declared without a value: no error to use. */
  readonly declared = new Set<string>()
  workdirSet = false

  constructor(
    stage: Stage,
    earlier: Map<string, Scope>,
    readonly globals: Map<string, string | undefined>,
    readonly options: CheckOptions,
  ) {
    const get = (name: string) => globals.get(name) ?? options.predefined[name]
    const base = tryExpand(stage.from.base, get).text
    const parent = earlier.get(base.toLowerCase())
    if (parent !== undefined) {
      for (const [name, value] of parent.values) this.values.set(name, value)
      this.workdirSet = parent.workdirSet
    } else if (base !== 'scratch') {
      for (const entry of options.baseEnv?.(base) ?? ['PATH=/']) {
        const at = entry.indexOf('=')
        this.values.set(at < 0 ? entry : entry.slice(0, at), entry.slice(at + 1))
      }
    }
  }

  get = (name: string): string | undefined => this.values.get(name) ?? (this.declared.has(name) ? '' : undefined)

  declare(name: string, value: string | undefined): void {
    const known = this.options.buildArgs[name] ?? value ?? this.globals.get(name) ?? this.options.predefined[name]
    this.declared.add(name)
    if (known !== undefined && !this.values.has(name)) this.values.set(name, known)
  }
}

class StageCheck {
  readonly #last = new Map<string, Location>()

  constructor(
    readonly stage: Stage,
    readonly scope: Scope,
    readonly options: CheckOptions,
    readonly report: Report,
  ) {}

  run(): void {
    const hasShell = this.stage.instructions.some(({ kind }) => kind === 'shell')
    for (const instruction of this.stage.instructions) {
      this.#once(instruction)
      this.#variables(instruction)
      this.#one(instruction, hasShell)
    }
  }

  #once({ kind, keyword, location }: Instruction): void {
    if (kind !== 'cmd' && kind !== 'entrypoint' && kind !== 'healthcheck') return
    const before = this.#last.get(kind)
    if (before !== undefined) {
      const name = keyword.toUpperCase()
      this.report(
        'MultipleInstructionsDisallowed',
        before,
        `Multiple ${name} instructions should not be used in the same stage because only the last one will be used`,
      )
    }
    this.#last.set(kind, location)
  }

  /** Words that are expanded when the instruction is carried out. */
  #variables(instruction: Instruction): void {
    const unset = new Set<string>()
    for (const word of expandedWords(instruction)) {
      for (const name of tryExpand(word, this.scope.get).unset) unset.add(name)
    }
    for (const name of unset) {
      if (this.options.buildArgs[name] !== undefined || /^\d+$|^[@*#?$!-]$/.test(name)) continue
      const meant = nearest(name, this.scope.values.keys())
      const suggestion = meant === undefined ? '' : ` (did you mean $${meant}?)`
      this.report('UndefinedVar', instruction.location, `Usage of undefined variable '$${name}'${suggestion}`)
    }
  }

  #one(instruction: Instruction, hasShell: boolean): void {
    const { location, keyword } = instruction
    switch (instruction.kind) {
      case 'maintainer':
        this.report('MaintainerDeprecated', location, 'Maintainer instruction is deprecated in favor of using label')
        break
      case 'cmd':
      case 'entrypoint':
        if (instruction.command.shell && !hasShell && instruction.command.args.length > 0) {
          this.report(
            'JSONArgsRecommended',
            location,
            `JSON arguments recommended for ${keyword.toUpperCase()} to prevent unintended behavior related to OS signals`,
          )
        }
        break
      case 'env':
      case 'label':
        this.#pairs(instruction)
        break
      case 'arg':
        for (const { name } of instruction.args) this.#secret('ARG', name, location)
        for (const { name, value } of instruction.args) {
          this.scope.declare(name, value === undefined ? undefined : tryExpand(value, this.scope.get).text)
        }
        checkDescription(
          instruction,
          'ARG',
          instruction.args.map(({ name }) => name),
          this.report,
        )
        break
      case 'workdir':
        this.#workdir(instruction)
        break
      case 'expose':
        for (const value of instruction.values) this.#expose(tryExpand(value, this.scope.get).text, location)
        break
      case 'copy':
      case 'add':
        this.#copy(instruction)
        break
    }
  }

  #pairs({ kind, pairs, location, keyword }: InstructionOf<'env' | 'label'>): void {
    if (pairs.some(({ legacy }) => legacy)) {
      const name = keyword.toUpperCase()
      this.report(
        'LegacyKeyValueFormat',
        location,
        `"${name} key=value" should be used instead of legacy "${name} key value" format`,
      )
    }
    if (kind !== 'env') return
    const values = pairs.map(({ key, value }) => [key, tryExpand(value, this.scope.get).text] as const)
    for (const [key, value] of values) {
      this.#secret('ENV', key, location)
      this.scope.values.set(key, value)
    }
  }

  #secret(instruction: string, name: string, location: Location): void {
    if (!SECRET.test(name) || NO_SECRET.test(name)) return
    this.report(
      'SecretsUsedInArgOrEnv',
      location,
      `Do not use ARG or ENV instructions for sensitive data (${instruction} "${name}")`,
    )
  }

  #workdir({ value, location }: InstructionOf<'workdir'>): void {
    const path = tryExpand(value, this.scope.get).text
    if (!path.startsWith('/') && !this.scope.workdirSet) {
      this.report(
        'WorkdirRelativePath',
        location,
        `Relative workdir ${JSON.stringify(path)} can have unexpected results if the base image changes`,
      )
    }
    this.scope.workdirSet = true
  }

  #expose(port: string, location: Location): void {
    const protocol = port.split('/')[1]
    if (protocol !== undefined && protocol !== protocol.toLowerCase()) {
      this.report('ExposeProtoCasing', location, `Defined protocol '${port}' in EXPOSE instruction should be lowercase`)
    }
    if (port.split('/')[0]!.includes(':')) {
      this.report(
        'ExposeInvalidFormat',
        location,
        `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
      )
    }
  }

  #copy({ kind, from, sources, location }: InstructionOf<'copy' | 'add'>): void {
    if (from !== undefined || this.options.ignored === undefined) return
    for (const source of sources) {
      const path = tryExpand(source, this.scope.get)
        .text.replace(/^(\.?\/+)+/, '')
        .replace(/\/+$/, '')
      if (path === '' || path === '.' || /[*?[]|:\/\//.test(path) || !this.options.ignored(path)) continue
      const command = kind === 'add' ? 'Add' : 'Copy'
      this.report(
        'CopyIgnoredFile',
        location,
        `Attempting to ${command} file ${JSON.stringify(source)} that is excluded by .dockerignore`,
      )
    }
  }
}

function expandedWords(instruction: Instruction): string[] {
  switch (instruction.kind) {
    case 'env':
    case 'label':
      return instruction.pairs.flatMap(({ key, value }) => [key, value])
    case 'arg':
      return instruction.args.flatMap(({ value }) => value ?? [])
    case 'copy':
    case 'add': {
      const inline = instruction.inline.filter((file) => file.expand).map(({ content }) => content.replace(/['"]/g, ''))
      return [...instruction.sources, instruction.target, instruction.chown ?? '', instruction.chmod ?? '', ...inline]
    }
    case 'workdir':
    case 'user':
    case 'stopsignal':
      return [instruction.value]
    case 'expose':
    case 'volume':
      return instruction.values
    case 'run':
      return instruction.mounts
    default:
      return []
  }
}
