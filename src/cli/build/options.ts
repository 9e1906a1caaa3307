import { readFileSync, statSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import type { BuildOptions } from '../../engine/build-types.js'
import { parseReference } from '../../oci/reference.js'
import { defaultNetwork } from '../default-network.js'
import { CodedError, EXIT, UsageError } from '../exit-codes.js'
import type { ParsedArgs } from '../flags/parse.js'
import { type OutputOption, parseAnnotation, parseSecret, parseSsh } from '../values/build.js'
import { parseCacheFrom, parseCacheTo } from '../values/build-cache.js'
import { parseEnv } from '../values/env.js'

/** Outputs that want files or nothing. */
const WITHOUT_IMAGE: ReadonlySet<OutputOption['type']> = new Set(['local', 'tar', 'cacheonly'])

const lookup = (name: string) => process.env[name]

/** Errors of a value are errors of the command line. */
export function valid<T>(flag: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw new UsageError(`invalid argument for "--${flag}" flag: ${(error as Error).message}`, 'build')
  }
}

export async function buildOptions(flags: ParsedArgs, outputs: readonly OutputOption[]): Promise<BuildOptions> {
  const tags = [...flags.list<string>('tag'), ...outputs.flatMap(({ names }) => names)]
  for (const tag of tags) valid('tag', () => parseReference(tag))
  const args = Object.fromEntries(
    flags.list<string>('build-arg').flatMap((text) => {
      const [name, value] = valid('build-arg', () => parseEnv(text, lookup))
      return value === undefined ? [] : [[name, value]]
    }),
  )
  if (args.SOURCE_DATE_EPOCH === undefined && lookup('SOURCE_DATE_EPOCH'))
    args.SOURCE_DATE_EPOCH = lookup('SOURCE_DATE_EPOCH')!
  const secrets: Record<string, Buffer> = {}
  for (const text of flags.list<string>('secret')) {
    const source = valid('secret', () => parseSecret(text, lookup))
    secrets[source.id] = 'env' in source ? Buffer.from(lookup(source.env) ?? '') : readSecret(source.file)
  }
  const labels = Object.fromEntries(flags.list<string>('label').map((text) => split(text)))
  const timeout = flags.value<number>('timeout')
  const allowed = flags.list<string>('allow')
  const platform = flags.string('platform')
  const target = flags.string('target')
  return {
    ...source(flags),
    args,
    secrets,
    ssh: Object.fromEntries(flags.list<string>('ssh').map((text) => valid('ssh', () => parseSsh(text, lookup)))),
    contexts: Object.fromEntries(flags.list<string>('build-context').map((text) => split(text))),
    ...(target !== undefined && { target }),
    tags,
    labels,
    annotations: Object.fromEntries(
      flags.list<string>('annotation').map((text) => valid('annotation', () => parseAnnotation(text))),
    ),
    cacheFrom: flags.list<string>('cache-from').map((text) => valid('cache-from', () => parseCacheFrom(text))),
    cacheTo: flags.list<string>('cache-to').map((text) => valid('cache-to', () => parseCacheTo(text))),
    ...(platform !== undefined && { platform }),
    pull: flags.bool('pull'),
    noCache: flags.bool('no-cache'),
    noCacheFilter: flags.list<string>('no-cache-filter'),
    limits: limits(flags),
    allowInsecure: allowed.includes('security.insecure'),
    ...(timeout !== undefined && timeout > 0 && { timeout }),
    onError: flags.bool('debug-on-error') && process.stdin.isTTY ? 'keep' : 'remove',
    noImage: outputs.length > 0 && tags.length === 0 && outputs.every(({ type }) => WITHOUT_IMAGE.has(type)),
  }
}

function split(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function readSecret(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CodedError(`failed to read secret: ${(error as Error).message}`, EXIT.failure)
  }
}

/** The context and the Dockerfile, wherever they are. */
function source(flags: ParsedArgs): Pick<BuildOptions, 'context' | 'dockerfile' | 'dockerfileText' | 'ignore'> {
  const place = flags.args[0]!
  const file = flags.string('file')
  if (place === '-') {
    if (file === '-')
      throw new CodedError("invalid argument: can't use stdin for both build context and dockerfile", EXIT.failure)
    const start = readFileSync(0)
    const isArchive =
      start.subarray(257, 262).toString() === 'ustar' ||
      ['1f8b', '28b5', '425a', 'fd37'].includes(start.subarray(0, 2).toString('hex'))
    if (!isArchive) return { dockerfileText: start.toString('utf8') }
    return { context: { tar: Readable.from([start]) }, ...(file !== undefined && { dockerfile: file }) }
  }
  const remote = /^(https?|git|ssh):\/\/|^github\.com\/|^[\w.-]+@[\w.-]+:/.test(place)
  if (file === '-') return { context: place, dockerfileText: readFileSync(0, 'utf8') }
  if (remote) return { context: place, ...(file !== undefined && { dockerfile: file }) }
  if (!statSync(place, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CodedError(`unable to prepare context: path "${place}" not found`, EXIT.failure)
  }
  if (file === undefined) return { context: resolve(place) }
  const inside = relative(resolve(place), resolve(file))
  if (!inside.startsWith('..')) return { context: resolve(place), dockerfile: inside }
  return { context: resolve(place), dockerfileText: readDockerfile(file), ...ignoreOf(file) }
}

function readDockerfile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    throw new CodedError(`failed to read dockerfile: open ${file}: no such file or directory`, EXIT.failure)
  }
}

/** A Dockerfile outside of the context may have an ignore file beside it. */
function ignoreOf(file: string): { ignore?: string[] } {
  try {
    return { ignore: readFileSync(`${file}.dockerignore`, 'utf8').split('\n') }
  } catch {
    return {}
  }
}

function limits(flags: ParsedArgs): NonNullable<BuildOptions['limits']> {
  const given = <T>(name: string): T | undefined => flags.value<T>(name)
  const network = flags.string('network')
  const out: Record<string, unknown> = {
    memory: given('memory'),
    memorySwap: given('memory-swap'),
    cpus: given('cpus'),
    cpuPeriod: given('cpu-period'),
    cpuQuota: given('cpu-quota'),
    cpuShares: given('cpu-shares'),
    cpusetCpus: flags.string('cpuset-cpus'),
    cpusetMems: flags.string('cpuset-mems'),
    shmSize: given('shm-size'),
    cgroupParent: flags.string('cgroup-parent'),
    network: network === undefined || network === 'default' ? defaultNetwork() : network,
  }
  const lists = {
    addHosts: flags.list<string>('add-host'),
    ulimits: flags.list('ulimit'),
    securityOpt: flags.list<string>('security-opt'),
  }
  const used = Object.entries(out).filter(([, value]) => value !== undefined)
  return {
    ...Object.fromEntries(used),
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
  }
}
