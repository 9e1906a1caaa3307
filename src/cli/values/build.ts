import { parseCsvLine } from './csv.js'
import type { Lookup } from './env.js'

/** `key=value,key=value`. */
export const fields = (text: string): [key: string, value: string][] =>
  parseCsvLine(text).map((field) => {
    const at = field.indexOf('=')
    if (at < 0) throw new Error(`invalid field '${field}' must be a key=value pair`)
    return [field.slice(0, at).toLowerCase(), field.slice(at + 1)]
  })

/** Where a secret's value comes from. */
export type SecretSource = { id: string; file: string } | { id: string; env: string }

/** One `--secret`: `id=name[,src=file|,env=NAME]`. Without either: a variable of that name, else a file. */
export function parseSecret(text: string, lookup: Lookup): SecretSource {
  let id = ''
  let file: string | undefined
  let env: string | undefined
  let type: string | undefined
  for (const [key, value] of fields(text)) {
    if (key === 'id') id = value
    else if (key === 'src' || key === 'source') file = value
    else if (key === 'env') env = value
    else if (key === 'type') type = value
    else throw new Error(`unexpected key '${key}' in '${key}=${value}'`)
  }
  if (type !== undefined && type !== 'file' && type !== 'env') throw new Error(`unsupported secret type ${type}`)
  if (type === 'env' && env === undefined) [env, file] = [file, undefined]
  if (id === '') id = file ?? env ?? ''
  if (id === '') throw new Error('secret missing an id')
  if (env === undefined && file === undefined && lookup(id) !== undefined) env = id
  return env !== undefined ? { id, env } : { id, file: file ?? id }
}

/** One `--ssh`: `default`, or `id=socket`. */
export function parseSsh(text: string, lookup: Lookup): [id: string, socket: string] {
  const at = text.indexOf('=')
  const id = at < 0 ? text : text.slice(0, at)
  const socket = at < 0 ? lookup('SSH_AUTH_SOCK') : text.slice(at + 1)
  if (socket === undefined || socket === '') throw new Error('invalid empty ssh agent socket: SSH_AUTH_SOCK is not set')
  return [id, socket]
}

export interface OutputOption {
  /** `cacheonly`: nothing but the cache. */
  type: 'local' | 'tar' | 'docker' | 'oci' | 'image' | 'cacheonly'
  /** Path; `-` is standard output. */
  dest: string | undefined
  /** Names for the image. */
  names: string[]
  push: boolean
}

const TYPES = ['local', 'tar', 'docker', 'oci', 'image', 'registry', 'cacheonly']

/** One `--output`: `type=...,dest=...`, or a folder, or `-` for an archive on standard output. */
export function parseOutput(text: string): OutputOption {
  if (!text.includes('=')) return { type: text === '-' ? 'tar' : 'local', dest: text, names: [], push: false }
  const output: OutputOption = { type: 'image', dest: undefined, names: [], push: false }
  let type = ''
  for (const [key, value] of fields(text)) {
    if (key === 'type') type = value
    else if (key === 'dest') output.dest = value
    else if (key === 'name') output.names = value.split(',')
    else if (key === 'push') output.push = value === 'true'
    else throw new Error(`unexpected key '${key}' in '${text}'`)
  }
  if (!TYPES.includes(type))
    throw new Error(type === '' ? 'type is required for output' : `unsupported output type ${type}`)
  if (type === 'registry') output.push = true
  else output.type = type as OutputOption['type']
  if (output.type === 'local' && output.dest === undefined) throw new Error('dest is required for local output')
  return output
}

/** One `--annotation`: `[manifest:]key=value`. */
export function parseAnnotation(text: string): [key: string, value: string] {
  const [, types, key = '', value = ''] = /^(?:([a-z,-]+(?:\[[^\]]*\])?):)?([^=]*)=(.*)$/s.exec(text) ?? []
  if (key === '') throw new Error(`invalid annotation "${text}", expected key=value`)
  const other = types?.split(',').find((type) => type !== 'manifest')
  if (other !== undefined)
    throw new Error(`annotations of an "${other}" are not supported: one manifest is made, and no index`)
  return [key, value]
}
