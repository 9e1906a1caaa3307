import { invalidArgument } from '../errors/index.js'
import type { ContainerConfig } from '../runtime/index.js'

type Driver = ContainerConfig['logDriver']

/** What the attributes of a log are made of. */
export interface LogSubject {
  id: string
  name: string
  image: string
  imageId: string
  labels: Record<string, string>
  /** `NAME=value`. */
  env: string[]
}

const MIB = 2 ** 20
/** Docker's of `local`; `json-file` is rotated too, which Docker does not do unless asked. */
const DEFAULTS = {
  'json-file': { maxSize: 10 * MIB, maxFiles: 5, compress: false },
  local: { maxSize: 20 * MIB, maxFiles: 5, compress: true },
  none: { maxSize: 0, maxFiles: 1, compress: false },
} as const

/** `mode` and `max-buffer-size` are taken and without effect: a log of ours never blocks a container. */
const KNOWN: Record<Driver, readonly string[]> = {
  'json-file': 'max-size max-file compress labels labels-regex env env-regex tag mode max-buffer-size'.split(' '),
  local: 'max-size max-file compress mode max-buffer-size'.split(' '),
  none: [],
}

const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i

function bytes(key: string, text: string): number {
  if (text === '-1') return 0
  const match = SIZE.exec(text)
  if (match === null) throw invalidArgument(`invalid value for ${key}: invalid size: '${text}'`)
  return Math.floor(Number(match[1]) * 2 ** { '': 0, k: 10, m: 20, g: 30, t: 40 }[match[2]!.toLowerCase() as 'k']!)
}

function fileCount(text: string): number {
  if (!/^-?\d+$/.test(text)) throw invalidArgument(`invalid value for max-file: "${text}"`)
  if (Number(text) < 1) throw invalidArgument('max-file cannot be less than 1')
  return Number(text)
}

function flag(key: string, text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true
  if (/^(0|f|false)$/i.test(text)) return false
  throw invalidArgument(`invalid value for ${key}: "${text}"`)
}

const list = (text: string | undefined): string[] => text?.split(',').filter((name) => name !== '') ?? []

function pattern(key: string, text: string | undefined): RegExp | undefined {
  if (text === undefined || text === '') return undefined
  try {
    return new RegExp(text)
  } catch (cause) {
    throw invalidArgument(`invalid value for ${key}: "${text}"`, { cause })
  }
}

/** The fields of a tag that Docker's template knows. */
function tagText(template: string, subject: LogSubject): string {
  const imageId = subject.imageId.replace(/^sha256:/, '')
  const fields: Record<string, string> = {
    ID: subject.id.slice(0, 12),
    FullID: subject.id,
    Name: subject.name,
    ImageID: imageId.slice(0, 12),
    ImageFullID: subject.imageId,
    ImageName: subject.image,
    DaemonName: 'jubako',
  }
  return template.replace(/\{\{(.*?)\}\}/g, (_, body: string) => {
    const field = fields[body.trim().replace(/^\./, '')]
    if (field !== undefined) return field
    throw invalidArgument(`invalid value for tag: "${template}"`, {
      hint: `known are ${Object.keys(fields)
        .map((name) => `{{.${name}}}`)
        .join(', ')}`,
    })
  })
}

function attributes(options: Record<string, string>, subject: LogSubject): Record<string, string> {
  const env = Object.fromEntries(
    subject.env.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  )
  const out: Record<string, string> = {}
  for (const [key, values] of [['labels', subject.labels] as const, ['env', env] as const]) {
    const [names, matching] = [list(options[key]), pattern(`${key}-regex`, options[`${key}-regex`])]
    for (const [name, value] of Object.entries(values)) {
      if (names.includes(name) || matching?.test(name)) out[name] = value
    }
  }
  const { tag } = options
  if (tag !== undefined && tag !== '') out.tag = tagText(tag, subject)
  return out
}

/**
 * What the log options of a driver mean.
 *
 * @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT with Docker's message
 */
export function logConfig(
  driver: Driver,
  options: Record<string, string>,
  subject: LogSubject,
): ContainerConfig['log'] {
  const known = KNOWN[driver]
  if (known === undefined) {
    throw invalidArgument(`logger: no log driver named '${driver}' is registered`, {
      hint: `known are ${Object.keys(KNOWN).join(', ')}`,
    })
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    if (driver === 'none') throw invalidArgument('invalid logging opts for driver none')
    throw invalidArgument(`unknown log opt '${key}' for ${driver} log driver`, {
      hint: `known are ${known.join(', ')}`,
    })
  }
  const { mode } = options
  if (mode !== undefined && mode !== 'blocking' && mode !== 'non-blocking') {
    throw invalidArgument(`invalid value for mode: "${mode}"`, { hint: 'blocking or non-blocking' })
  }
  const buffer = options['max-buffer-size']
  if (buffer !== undefined) {
    if (mode !== 'non-blocking') {
      throw invalidArgument("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
    }
    bytes('max-buffer-size', buffer)
  }
  const defaults = DEFAULTS[driver]
  const [size, files, compress] = [options['max-size'], options['max-file'], options.compress]
  return {
    maxSize: size === undefined ? defaults.maxSize : bytes('max-size', size),
    maxFiles: files === undefined ? defaults.maxFiles : fileCount(files),
    compress: compress === undefined ? defaults.compress : flag('compress', compress),
    attributes: attributes(options, subject),
  }
}
