import type { Healthcheck } from '../oci/image-config.js'
import type { Location } from './error.js'
import { type Flags, parseInstructionFlags } from './flags.js'
import { parseMount } from './mounts.js'
import { type Heredoc, heredocText, parseHeredoc, type Statement } from './parse.js'
import { didYouMean } from './suggest.js'
import type { KeyValue } from './words.js'

/** What every instruction has. */
export interface Common {
  location: Location
  /** On one line, as written. */
  original: string
  keyword: string
  comments: string[]
}

/** Command of RUN, CMD, ENTRYPOINT: in the shell's form one string. */
export interface CommandLine {
  args: string[]
  /** The shell goes in front. */
  shell: boolean
}

export interface InlineFile {
  name: string
  content: string
  expand: boolean
}

export type Instruction = Common &
  (
    | { kind: 'from'; base: string; name: string; platform: string | undefined }
    | { kind: 'arg'; args: { name: string; value: string | undefined }[] }
    | { kind: 'env'; pairs: KeyValue[] }
    | { kind: 'label'; pairs: KeyValue[] }
    | {
        kind: 'run'
        command: CommandLine
        heredocs: Heredoc[]
        /** As written: variables are expanded when it runs. */
        mounts: string[]
        network: 'default' | 'none' | 'host'
        security: 'sandbox' | 'insecure'
        devices: string[]
      }
    | { kind: 'cmd' | 'entrypoint'; command: CommandLine }
    | {
        kind: CopyKind
        sources: string[]
        inline: InlineFile[]
        target: string
        from: string | undefined
        chown: string | undefined
        chmod: string | undefined
        link: boolean
        parents: boolean
        exclude: string[]
        checksum: string | undefined
        keepGitDir: boolean | undefined
        unpack: boolean | undefined
      }
    | { kind: 'workdir'; value: string }
    | { kind: 'user' | 'stopsignal' | 'maintainer'; value: string }
    | { kind: 'expose' | 'volume'; values: string[] }
    | { kind: 'shell'; shell: string[] }
    | { kind: 'healthcheck'; check: Healthcheck }
    | { kind: 'onbuild'; expression: string }
  )

type CopyKind = 'copy' | 'add'

/** One kind, or several that are alike. */
export type InstructionOf<K extends Instruction['kind']> = K extends CopyKind
  ? Extract<Instruction, { kind: CopyKind }>
  : Extract<Instruction, { kind: K }>

export const instructionNames: readonly string[] = (
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME ' +
  'WORKDIR'
).split(' ')

/** Instruction from its statement. @throws Error in BuildKit's words */
export function parseInstruction(statement: Statement): Instruction {
  const { location, original, keyword, comments } = statement
  const parser = parsers[keyword.toLowerCase() as keyof typeof parsers] as
    | ((statement: Statement) => object)
    | undefined
  if (parser === undefined) {
    throw new Error(`unknown instruction: ${keyword}${didYouMean(keyword, instructionNames)}`)
  }
  return { location, original, keyword, comments, ...parser(statement) } as Instruction
}

const noFlags = (statement: Statement): Flags => parseInstructionFlags(statement, {})

function exactlyOne(statement: Statement): string {
  if (statement.args.length !== 1) throw new Error(`${statement.keyword.toUpperCase()} requires exactly one argument`)
  return statement.args[0]!
}

function atLeastOne(statement: Statement): string[] {
  if (statement.args.length === 0) throw new Error(`${statement.keyword.toUpperCase()} requires at least one argument`)
  return statement.args
}

function pairs(statement: Statement): KeyValue[] {
  noFlags(statement)
  const name = statement.keyword.toUpperCase()
  if (statement.pairs.length === 0) throw new Error(`${name} requires at least one argument`)
  if (statement.pairs.some(({ key }) => key === '')) throw new Error(`${name} names can not be blank`)
  return statement.pairs
}

const commandLine = ({ args, json }: Statement): CommandLine => ({
  args: json ? args : [args.join(' ')].filter((text) => text !== ''),
  shell: !json,
})

const parsers = {
  env: (s: Statement) => ({ kind: 'env', pairs: pairs(s) }),
  label: (s: Statement) => ({ kind: 'label', pairs: pairs(s) }),
  maintainer: (s: Statement) => ({ kind: 'maintainer', value: flagless(s, exactlyOne(s)) }),
  workdir: (s: Statement) => ({ kind: 'workdir', value: flagless(s, exactlyOne(s)) }),
  user: (s: Statement) => ({ kind: 'user', value: flagless(s, exactlyOne(s)) }),
  stopsignal: (s: Statement) => ({ kind: 'stopsignal', value: exactlyOne(s) }),
  expose: (s: Statement) => ({ kind: 'expose', values: flagless(s, [...atLeastOne(s)].sort()) }),
  cmd: (s: Statement) => ({ kind: 'cmd', command: flagless(s, commandLine(s)) }),
  entrypoint: (s: Statement) => ({ kind: 'entrypoint', command: flagless(s, commandLine(s)) }),
  volume: parseVolume,
  arg: parseArg,
  add: parseCopy,
  copy: parseCopy,
  from: parseFrom,
  onbuild: parseOnbuild,
  run: parseRun,
  healthcheck: parseHealthcheck,
  shell: parseShell,
}

function flagless<T>(statement: Statement, value: T): T {
  noFlags(statement)
  return value
}

function parseVolume(statement: Statement) {
  const values = flagless(statement, atLeastOne(statement)).map((value) => value.trim())
  if (values.includes('')) throw new Error('VOLUME specified can not be an empty string')
  return { kind: 'volume', values }
}

function parseArg(statement: Statement) {
  const args = atLeastOne(statement).map((word) => {
    const at = word.indexOf('=')
    if (at === 0) throw new Error('ARG names can not be blank')
    return at < 0 ? { name: word, value: undefined } : { name: word.slice(0, at), value: word.slice(at + 1) }
  })
  return { kind: 'arg', args }
}

function parseFrom(statement: Statement) {
  const { args } = statement
  let name = ''
  if (args.length === 3 && args[1]!.toLowerCase() === 'as') {
    name = args[2]!.toLowerCase()
    if (!/^[a-z][a-z0-9-_.]*$/.test(name)) {
      throw new Error(`invalid name for build stage: "${args[2]}", name can't start with a number or contain symbols`)
    }
  } else if (args.length !== 1) {
    throw new Error('FROM requires either one or three arguments')
  }
  const platform = parseInstructionFlags(statement, { platform: 'string' }).string('platform')
  return { kind: 'from', base: args[0]!, name, platform }
}

function parseCopy(statement: Statement) {
  const add = statement.keyword.toLowerCase() === 'add'
  const name = add ? 'ADD' : 'COPY'
  if (statement.args.length < 2) {
    throw new Error(
      `${name} requires at least two arguments, but only one was provided. Destination could not be determined`,
    )
  }
  const flags = parseInstructionFlags(statement, {
    chown: 'string',
    chmod: 'string',
    link: 'bool',
    exclude: 'strings',
    ...(add
      ? ({ 'keep-git-dir': 'bool', checksum: 'string', unpack: 'bool' } as const)
      : ({ from: 'string', parents: 'bool' } as const)),
  })
  const target = statement.args.at(-1)!
  if (parseHeredoc(target) !== undefined) throw new Error(`${name} cannot accept a heredoc as a destination`)
  const sources: string[] = []
  const inline: InlineFile[] = []
  for (const source of statement.args.slice(0, -1)) {
    const mark = statement.json ? undefined : parseHeredoc(source)
    const heredoc = statement.heredocs.find((one) => one.name === mark?.name)
    if (heredoc === undefined) sources.push(source)
    else inline.push({ name: heredoc.name, content: heredocText(heredoc), expand: heredoc.expand })
  }
  return {
    kind: add ? 'add' : 'copy',
    sources,
    inline,
    target,
    from: flags.string('from'),
    chown: flags.string('chown'),
    chmod: flags.string('chmod'),
    link: flags.bool('link') ?? false,
    parents: flags.bool('parents') ?? false,
    exclude: flags.strings('exclude'),
    checksum: flags.string('checksum'),
    keepGitDir: flags.bool('keep-git-dir'),
    unpack: flags.bool('unpack'),
  }
}

function parseRun(statement: Statement) {
  const flags = parseInstructionFlags(statement, {
    mount: 'strings',
    network: 'string',
    security: 'string',
    device: 'strings',
  })
  const network = flags.string('network') ?? 'default'
  const networks = ['default', 'none', 'host']
  if (!networks.includes(network)) {
    throw new Error(`invalid network mode: "${network}"${didYouMean(network, networks)}`)
  }
  const security = flags.string('security') ?? 'sandbox'
  const securities = ['sandbox', 'insecure']
  if (!securities.includes(security)) {
    throw new Error(`invalid security mode: "${security}"${didYouMean(security, securities)}`)
  }
  const mounts = flags.strings('mount')
  // What needs no variable can be wrong now.
  for (const mount of mounts) if (!mount.includes('$')) parseMount(mount, (word) => word)
  for (const mount of mounts) {
    if (/(^|,)from=[^,]*\$./.test(mount)) {
      throw new Error("'from' doesn't support variable expansion, define alias stage instead")
    }
  }
  const command = commandLine(statement)
  if (command.args.length === 0 && statement.heredocs.length === 0)
    throw new Error('RUN requires at least one argument')
  return {
    kind: 'run',
    command,
    heredocs: statement.heredocs,
    mounts,
    network,
    security,
    devices: flags.strings('device'),
  }
}

function parseOnbuild({ trigger, flags, original, heredocs }: Statement) {
  if (trigger === undefined) throw new Error('ONBUILD requires at least one argument')
  if (flags.length > 0) throw new Error(`unknown flag: ${flags[0]!.split('=')[0]}`)
  const keyword = trigger.keyword.toUpperCase()
  if (keyword === 'ONBUILD') throw new Error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
  if (keyword === 'MAINTAINER' || keyword === 'FROM') throw new Error(`${keyword} isn't allowed as an ONBUILD trigger`)
  const documents = heredocs.map(({ content, name }) => `\n${content}${name}`)
  return { kind: 'onbuild', expression: original.replace(/^\s*ONBUILD\s*/i, '') + documents.join('') }
}

function parseShell(statement: Statement) {
  noFlags(statement)
  if (statement.args.length === 0) throw new Error('SHELL requires at least one argument')
  if (!statement.json) throw new Error(`SHELL requires the arguments to be in JSON form, not: ${statement.original}`)
  return { kind: 'shell', shell: statement.args }
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

/** Go's form of durations (`1m30s`), in nanoseconds. */
export function parseDuration(text: string): number {
  if (text === '0') return 0
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/gy)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw new Error(`time: invalid duration ${JSON.stringify(text)}`)
  }
  return parts.reduce((sum, [, value, unit]) => sum + Math.round(Number(value) * UNITS[unit!]!), 0)
}

function parseHealthcheck(statement: Statement) {
  const [type = '', ...args] = atLeastOne(statement)
  if (type.toUpperCase() === 'NONE') {
    if (args.length > 0) throw new Error('HEALTHCHECK NONE takes no arguments')
    return { kind: 'healthcheck', check: { Test: ['NONE'] } }
  }
  const names = {
    Interval: 'interval',
    Timeout: 'timeout',
    StartPeriod: 'start-period',
    StartInterval: 'start-interval',
  }
  const kinds = Object.fromEntries([...Object.values(names), 'retries'].map((name) => [name, 'string' as const]))
  const flags = parseInstructionFlags(statement, kinds)
  if (type.toUpperCase() !== 'CMD') throw new Error(`Unknown type "${type.toUpperCase()}" in HEALTHCHECK (try CMD)`)
  if (args.length === 0) throw new Error('Missing command after HEALTHCHECK CMD')
  const check: Healthcheck = { Test: [statement.json ? 'CMD' : 'CMD-SHELL', ...args] }
  for (const [member, name] of Object.entries(names) as [keyof typeof names, string][]) {
    const nanoseconds = parseDuration(flags.string(name) || '0')
    if (nanoseconds !== 0 && nanoseconds < 1e6) throw new Error(`Interval "${name}" cannot be less than 1ms`)
    if (nanoseconds !== 0) check[member] = nanoseconds
  }
  const retries = flags.string('retries')
  if (retries !== undefined) {
    if (!/^-?\d+$/.test(retries)) throw new Error(`invalid --retries: ${retries}`)
    if (Number(retries) < 0) throw new Error(`--retries cannot be negative (${retries})`)
    if (Number(retries) > 0) check.Retries = Number(retries)
  }
  return { kind: 'healthcheck', check }
}
