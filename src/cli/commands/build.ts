import type { BuildError, BuildResult } from '../../engine/build-types.js'
import type { Engine } from '../../engine/engine.js'
import { deliver } from '../build/deliver.js'
import { buildOptions, valid } from '../build/options.js'
import { answer, CALLS, type Call, explainPlain } from '../build/requests.js'
import type { Command, CommandContext } from '../command.js'
import { EXIT, ExitSignal, UsageError } from '../exit-codes.js'
import { buildFlags } from '../flags/build-flags.js'
import type { ParsedArgs } from '../flags/parse.js'
import { type BuildProgress, jsonBuild, PROGRESS_MODES, plainBuild, terminalBuild } from '../io/build-progress.js'
import { parseOutput } from '../values/build.js'

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
    const { call, json } = valid('call', () => callOf(flags))
    if (call !== undefined) return answer(call, json, options, context)
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

/** `--check`, or `--call name[,format=json]`; undefined: it is to be built. */
function callOf(flags: ParsedArgs): { call: Call | undefined; json: boolean } {
  const [name = '', ...rest] = (flags.bool('check') ? 'check' : (flags.string('call') ?? 'build')).split(',')
  const wanted = name === 'lint' ? 'check' : name
  const call = CALLS.find((one) => one === wanted)
  if (call === undefined) throw new Error(`unknown method "${name}" (use ${CALLS.join(', ')})`)
  const json = rest.includes('format=json') || rest.includes('json')
  return { call: call === 'build' ? undefined : call, json }
}

function chooseProgress(flags: ParsedArgs, context: CommandContext): BuildProgress {
  const mode = flags.string('progress') ?? process.env.BUILDKIT_PROGRESS ?? 'auto'
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
  const silent = ['quiet', 'rawjson'].includes(flags.string('progress') ?? '')
  if (found.length === 0 || flags.bool('quiet') || silent) return
  context.err.line(`\n ${found.length} warning${found.length === 1 ? '' : 's'} found:`)
  for (const { rule, detail, location } of found) context.err.line(` - ${rule}: ${detail} (line ${location.line})`)
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
