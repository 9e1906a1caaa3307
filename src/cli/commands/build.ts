import { createWriteStream, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { BuildError, BuildOptions, BuildResult } from '../../engine/build-types.js'
import type { Engine } from '../../engine/engine.js'
import { parseReference } from '../../oci/reference.js'
import type { Command, CommandContext } from '../command.js'
import { defaultNetwork } from '../default-network.js'
import { CodedError, EXIT, ExitSignal, UsageError } from '../exit-codes.js'
import { buildFlags } from '../flags/build-flags.js'
import type { ParsedArgs } from '../flags/parse.js'
import { type BuildProgress, jsonBuild, PROGRESS_MODES, plainBuild, terminalBuild } from '../io/build-progress.js'
import { type OutputOption, parseOutput, parseSecret, parseSsh } from '../values/build.js'
import { parseEnv } from '../values/env.js'

const lookup = (name: string) => process.env[name]

export const command: Command = {
  spec: {
    name: 'build',
    aliases: ['image build', 'build', 'builder build'],
    usage: '[OPTIONS] PATH | URL | -',
    summary: 'Build an image from a Dockerfile',
    args: [1, 1],
    flags: buildFlags,
  },
  async run(flags, context) {
    const outputs = valid('output', () => flags.list<string>('output').map(parseOutput))
    const options = await buildOptions(flags, outputs)
    if (flags.bool('check')) return check(options, context)
    const engine = await context.engine()
    const stop = new AbortController()
    const onSignal = (name: NodeJS.Signals) => stop.abort(new ExitSignal(name === 'SIGINT' ? 130 : 143))
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
    const progress = chooseProgress(flags, context)
    try {
      const result = await engine.build({ ...options, signal: stop.signal, onProgress: progress.onProgress })
      try {
        progress.end()
        warnings(result, flags, context)
        await deliver(engine, result, outputs, flags, context)
      } finally {
        await result.release()
      }
      return EXIT.ok
    } catch (error) {
      progress.end()
      if (stop.signal.aborted && stop.signal.reason instanceof ExitSignal) {
        context.err.line('ERROR: failed to build: failed to solve: Canceled: context canceled')
        throw stop.signal.reason
      }
      return await explain(error as BuildError, engine, flags, context)
    } finally {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    }
  },
}

/** Errors of a value are errors of the command line. */
function valid<T>(flag: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw new UsageError(`invalid argument for "--${flag}" flag: ${(error as Error).message}`, 'build')
  }
}

async function buildOptions(flags: ParsedArgs, outputs: readonly OutputOption[]): Promise<BuildOptions> {
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
    ...(platform !== undefined && { platform }),
    pull: flags.bool('pull'),
    noCache: flags.bool('no-cache'),
    noCacheFilter: flags.list<string>('no-cache-filter'),
    limits: limits(flags),
    allowInsecure: flags.list<string>('allow').includes('security.insecure'),
    ...(timeout !== undefined && timeout > 0 && { timeout: timeout / 1e6 }),
    onError: flags.bool('debug-on-error') && process.stdin.isTTY ? 'keep' : 'remove',
    noImage: outputs.length > 0 && outputs.every(({ type }) => type === 'local' || type === 'tar') && tags.length === 0,
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

function chooseProgress(flags: ParsedArgs, context: CommandContext): BuildProgress {
  const mode = flags.string('progress') ?? lookup('BUILDKIT_PROGRESS') ?? 'auto'
  if (!(PROGRESS_MODES as readonly string[]).includes(mode)) {
    throw new UsageError(`invalid progress mode ${mode} (use ${PROGRESS_MODES.join(', ')})`, 'build')
  }
  if (flags.bool('quiet') || mode === 'quiet' || mode === 'none') return { onProgress: () => {}, end: () => {} }
  if (mode === 'rawjson') return jsonBuild(context.err)
  const { isTTY, columns = 80, rows = 24 } = process.stderr
  if (mode === 'tty' || (mode === 'auto' && isTTY)) return terminalBuild(context.err, { columns, rows })
  return plainBuild(context.err)
}

function warnings({ warnings: found }: BuildResult, flags: ParsedArgs, context: CommandContext): void {
  if (found.length === 0 || flags.bool('quiet') || flags.string('progress') === 'rawjson') return
  context.err.line(`\n ${found.length} warning${found.length === 1 ? '' : 's'} found:`)
  for (const { rule, detail, location } of found) context.err.line(` - ${rule}: ${detail} (line ${location.line})`)
}

async function check(options: BuildOptions, context: CommandContext): Promise<number> {
  const engine = await context.engine()
  let found: Awaited<ReturnType<Engine['build']['check']>>
  try {
    found = await engine.build.check(options)
  } catch (error) {
    return explainPlain(error as BuildError, context)
  }
  const { warnings: list, dockerfile, failing } = found
  if (list.length === 0) {
    context.out.line('Check complete, no warnings found.')
    return EXIT.ok
  }
  const { excerpt } = await import('../../dockerfile/index.js')
  context.out.line(`Check complete, ${list.length} warning${list.length === 1 ? ' has' : 's have'} been found!\n`)
  for (const { rule, url, detail, location } of list) {
    context.out.line(`WARNING: ${rule} - ${url}\n${detail}\n${excerpt(dockerfile.source, location)}\n`)
  }
  void failing
  return EXIT.failure
}

/** Where the result goes. */
async function deliver(
  engine: Engine,
  result: BuildResult,
  outputs: readonly OutputOption[],
  flags: ParsedArgs,
  context: CommandContext,
): Promise<void> {
  const { imageId } = result
  const tags = [...flags.list<string>('tag'), ...outputs.flatMap(({ names }) => names)]
  for (const { type, dest, push } of outputs) {
    if (type === 'local') {
      mkdirSync(dest!, { recursive: true })
      await engine.build.exportTree(result.layers, resolve(dest!))
    } else if (type === 'tar') {
      const fd = await openDestination(dest)
      await engine.build.exportTar(result.layers, fd)
    } else if (type === 'docker' || type === 'oci') {
      const archive = await engine.images.save(tags.length > 0 ? tags : [imageId!])
      await pipeline(archive, dest === undefined || dest === '-' ? process.stdout : createWriteStream(dest))
    }
    if (push) for (const tag of tags) await engine.images.push(tag)
  }
  if (flags.bool('push')) for (const tag of tags) await engine.images.push(tag)
  if (imageId === undefined) return
  const iidfile = flags.string('iidfile')
  if (iidfile !== undefined) writeFileSync(iidfile, imageId)
  const metadata = flags.string('metadata-file')
  if (metadata !== undefined) {
    const names = tags.join(',')
    writeFileSync(
      metadata,
      `${JSON.stringify({ 'containerimage.config.digest': imageId, ...(names && { 'image.name': names }) }, undefined, 2)}\n`,
    )
  }
  if (flags.bool('quiet')) context.out.line(imageId)
}

async function openDestination(dest: string | undefined): Promise<number> {
  if (dest === undefined || dest === '-') return 1
  const { openSync } = await import('node:fs')
  mkdirSync(dirname(resolve(dest)), { recursive: true })
  return openSync(resolve(dest), 'w')
}

/** As BuildKit ends: the last output, the place, the error. */
async function explain(error: BuildError, engine: Engine, flags: ParsedArgs, context: CommandContext): Promise<number> {
  const { failed } = error
  const { err } = context
  if (failed !== undefined) {
    err.line(`------\n > ${failed.name}:`)
    const lines = failed.output.replace(/\n$/, '').split('\n').slice(-20)
    if (failed.output !== '') for (const line of lines) err.line(line)
    err.line('------')
  }
  const code = explainPlain(error, context)
  if (failed?.kept !== undefined && flags.bool('debug-on-error')) await lookAround(failed.kept, engine, context)
  return code
}

function explainPlain(error: BuildError, { err }: CommandContext): number {
  if (error.excerpt !== undefined) err.line(error.excerpt)
  else if (!('code' in error)) throw error
  err.line(`ERROR: failed to build: failed to solve: ${error.message}`)
  if (error.hint !== undefined) err.line(`hint: ${error.hint}`)
  return EXIT.failure
}

/** A shell on the files of the step that failed. */
async function lookAround(
  kept: NonNullable<NonNullable<BuildError['failed']>['kept']>,
  engine: Engine,
  context: CommandContext,
): Promise<void> {
  context.err.line('Opening a shell where the step failed; leave it to end.')
  await engine.build.shell(kept, async (container) => {
    const { rawTerminal } = await import('../io/terminal.js')
    const restore = rawTerminal()
    try {
      if (container.stdin !== null) process.stdin.pipe(container.stdin)
      container.stdout?.pipe(process.stdout)
      await container.wait()
    } finally {
      process.stdin.unpipe()
      restore()
    }
  })
}
