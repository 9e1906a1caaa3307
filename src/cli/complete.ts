import type { Engine } from '../engine/engine.js'
import type { CommandEntry } from './command.js'
import type { CommandSpec, FlagRow } from './flags/spec.js'
import { FLAG_TYPES } from './flags/types.js'

/** Words that may follow, each with what it is; and whether names of files may follow too. */
export interface Completion {
  words: readonly (readonly [word: string, about: string])[]
  files: boolean
}

type Kind = 'container' | 'running' | 'stopped' | 'image' | 'network' | 'volume' | 'file' | 'none'

/** What the positional arguments of a command name; the last one stands for all that follow. */
const POSITIONAL: Readonly<Record<string, readonly Kind[]>> = {
  attach: ['running', 'none'],
  commit: ['container', 'image', 'none'],
  'container inspect': ['container'],
  cp: ['container', 'file'],
  create: ['image', 'file'],
  diff: ['container', 'none'],
  exec: ['running', 'file'],
  export: ['container', 'none'],
  history: ['image', 'none'],
  'image inspect': ['image'],
  inspect: ['container'],
  kill: ['running'],
  logs: ['container', 'none'],
  'network connect': ['network', 'container', 'none'],
  'network disconnect': ['network', 'container', 'none'],
  'network inspect': ['network'],
  'network rm': ['network'],
  pause: ['running'],
  port: ['container', 'none'],
  push: ['image', 'none'],
  'registry serve': ['none'],
  'registry user add': ['none'],
  'registry user ls': ['none'],
  'registry user rm': ['none'],
  rename: ['container', 'none'],
  restart: ['container'],
  rm: ['container'],
  rmi: ['image'],
  run: ['image', 'file'],
  save: ['image'],
  start: ['stopped'],
  stats: ['running'],
  stop: ['running'],
  tag: ['image', 'none'],
  top: ['running', 'none'],
  unpause: ['running'],
  update: ['container'],
  'volume inspect': ['volume'],
  'volume rm': ['volume'],
  wait: ['container'],
}

/** Values of flags that are among a few words or name an object. */
const VALUES: Readonly<Record<string, Kind | readonly string[]>> = {
  network: 'network',
  'volumes-from': 'container',
  pull: ['always', 'missing', 'never'],
  restart: ['always', 'no', 'on-failure', 'unless-stopped'],
  type: ['container', 'image', 'network', 'volume'],
  'log-driver': ['json-file', 'local', 'none'],
  'cap-add': ['ALL'],
  'cap-drop': ['ALL'],
}

const GLOBAL_VALUES = new Set(['--root', '--run-root'])
const nothing: Completion = { words: [], files: false }
const onlyFiles: Completion = { words: [], files: true }

/**
 * What may stand in place of the last word.
 *
 * @param words what was typed after the program's name; the last one is being typed and may be empty
 */
export async function complete(
  words: readonly string[],
  commands: readonly CommandEntry[],
  engine: () => Promise<Engine>,
): Promise<Completion> {
  const before = withoutGlobals(words.slice(0, -1))
  const current = words.at(-1) ?? ''
  const found = find(before, commands)
  if (found === undefined) return begin(commandWords(before, commands), current)
  const { spec } = (await found.entry.load()).command
  const { flag, positional, ended } = readArguments(spec, found.rest)
  if (flag !== undefined) return begin(await valuesOf(flag, engine), current)
  const equals = /^--([a-z0-9-]+)=/.exec(current)
  if (equals !== null && !ended) {
    const row = spec.flags.find(([, name]) => name === equals[1])
    return row === undefined ? nothing : begin(prefixed(equals[0], await valuesOf(row, engine)), current)
  }
  if (current.startsWith('-') && !ended) return begin(flagWords(spec), current)
  const kinds = POSITIONAL[spec.name] ?? ['file']
  return begin(await objects(kinds[Math.min(positional, kinds.length - 1)] as Kind, engine), current)
}

const prefixed = (prefix: string, { words, files }: Completion): Completion => ({
  words: words.map(([word, about]) => [`${prefix}${word}`, about]),
  files,
})

const begin = ({ words, files }: Completion, start: string): Completion => ({
  words: words.filter(([word]) => word.startsWith(start)),
  files,
})

function withoutGlobals(words: readonly string[]): string[] {
  let at = 0
  while (at < words.length && words[at]!.startsWith('-')) at += GLOBAL_VALUES.has(words[at]!) ? 2 : 1
  return words.slice(at)
}

function find(
  words: readonly string[],
  commands: readonly CommandEntry[],
): { entry: CommandEntry; rest: string[] } | undefined {
  for (const length of [3, 2, 1]) {
    if (words.length < length) continue
    const name = words.slice(0, length).join(' ')
    const entry = commands.find(({ names }) => names.includes(name))
    if (entry !== undefined) return { entry, rest: words.slice(length) }
  }
  return undefined
}

/** The next words of commands that begin so: commands, and groups of commands by their first word. */
function commandWords(before: readonly string[], commands: readonly CommandEntry[]): Completion {
  const words = new Map<string, string>()
  for (const { names, summary } of commands) {
    for (const name of names) {
      const parts = name.split(' ')
      const next = parts[before.length]
      if (next === undefined || !before.every((word, at) => parts[at] === word)) continue
      if (parts.length === before.length + 1) words.set(next, summary)
      else words.set(next, words.get(next) ?? `Manage: ${next}`)
    }
  }
  return { words: [...words].sort(([a], [b]) => (a < b ? -1 : 1)), files: false }
}

const takesValue = ([, , type]: FlagRow): boolean => FLAG_TYPES[type].label !== ''

/** A flag that waits for its value, how many positional arguments there are, and whether flags are over. */
function readArguments(
  spec: CommandSpec,
  words: readonly string[],
): { flag?: FlagRow; positional: number; ended: boolean } {
  let positional = 0
  let ended = false
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (ended || word === '-' || !word.startsWith('-')) {
      positional++
      if (spec.interspersed === false) ended = true
    } else if (word === '--') ended = true
    else if (!word.includes('=')) {
      const long = word.startsWith('--') ? word.slice(2) : undefined
      const row = spec.flags.find(([short, name]) =>
        long === undefined ? word.endsWith(short) && short !== '' : name === long,
      )
      if (row === undefined || !takesValue(row)) continue
      if (at === words.length - 1) return { flag: row, positional, ended }
      at++
    }
  }
  return { positional, ended }
}

function flagWords(spec: CommandSpec): Completion {
  const shown = spec.flags.filter(([, , , , extra]) => extra?.hidden !== true && (extra?.status ?? 'works') === 'works')
  const words = shown.map(([, name, , help]) => [`--${name}`, help] as const)
  return { words: [...words, ['--help', 'Show help'] as const].sort(([a], [b]) => (a < b ? -1 : 1)), files: false }
}

async function valuesOf([, name]: FlagRow, engine: () => Promise<Engine>): Promise<Completion> {
  const values = Object.hasOwn(VALUES, name) ? VALUES[name] : undefined
  if (values === undefined) return onlyFiles
  return typeof values === 'string'
    ? objects(values, engine)
    : { words: values.map((word) => [word, ''] as const), files: false }
}

async function objects(kind: Kind, engine: () => Promise<Engine>): Promise<Completion> {
  switch (kind) {
    case 'file':
      return onlyFiles
    case 'none':
      return nothing
    case 'image': {
      const images = await (await engine()).images()
      return {
        words: images.flatMap(({ tags, id }) => tags.map((tag) => [tag, id.slice(7, 19)] as const)),
        files: false,
      }
    }
    case 'network': {
      const list = await (await engine()).networks.list()
      return { words: list.map(({ name, driver }) => [name, driver] as const), files: false }
    }
    case 'volume': {
      const list = await (await engine()).volumes.list()
      return { words: list.map(({ name, driver }) => [name, driver] as const), files: false }
    }
    default: {
      const all = await (await engine()).containers({ all: kind !== 'running' })
      const wanted = kind === 'stopped' ? all.filter(({ state }) => state === 'exited' || state === 'created') : all
      return { words: wanted.map(({ name, image, state }) => [name, `${image}, ${state}`] as const), files: false }
    }
  }
}
