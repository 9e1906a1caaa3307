import { DockerfileError } from '../../dockerfile/index.js'
import { BuildError } from '../error.js'
import { keyOf, type StageState } from '../state.js'
import { isProxyArgument } from '../variables.js'
import { append, cached, commit, draft, pathsOf, type Work } from '../work.js'
import { prepareMounts, type Run, type RunContext } from './mounts.js'
import { refuseSecrets } from './secrets.js'

/** Last bytes of a step's output that an error shows. */
const TAIL = 16 * 1024

/** The command of a RUN, here-documents included. */
function commandOf({ command, heredocs }: Run, shell: readonly string[]): { args: string[]; shown: string } {
  if (heredocs.length === 0) {
    const args = command.shell ? [...shell, ...command.args] : command.args
    return { args, shown: args.join(' ') }
  }
  const text = command.args[0] ?? ''
  const [only] = heredocs
  // Nothing but a here-document: it is the script, and may bring its interpreter.
  if (heredocs.length === 1 && /^\s*\d*<<-?\s*\S+\s*$/.test(text)) {
    const content = only!.chomp ? only!.content.replace(/^\t+/gm, '') : only!.content
    if (content.startsWith('#!')) {
      // The script goes through a here-document of the shell to a file, which is then executed.
      const name = 'JUBAKO_HEREDOC_SCRIPT'
      const script = `f=$(mktemp) && cat > "$f" <<'${name}'\n${content}${name}\nchmod +x "$f" && "$f"; r=$?; rm -f "$f"; exit $r`
      return { args: [...shell, script], shown: `${shell.join(' ')} <<${only!.name}` }
    }
    return { args: [...shell, content], shown: `${shell.join(' ')} ${content}` }
  }
  const whole = `${text}\n${heredocs.map(({ content, name }) => `${content}${name}`).join('\n')}`
  return { args: [...shell, whole], shown: `${shell.join(' ')} ${text}` }
}

/** RUN: a container on the stage's layers; what it wrote is the step's layer. */
export async function runStep(
  instruction: Run,
  state: StageState,
  context: RunContext,
  work: Work,
): Promise<{ cached: boolean }> {
  const { scope } = context
  const { config } = state
  if (instruction.security === 'insecure' && !work.allowInsecure) {
    throw new DockerfileError('security.insecure is not allowed', instruction.location, {
      hint: 'allow it with --allow security.insecure',
    })
  }
  const { args, shown } = commandOf(instruction, config.Shell ?? context.defaultShell)
  const arguments_ = scope.argList().filter(([name]) => !isProxyArgument(name))
  const env = [...arguments_.map(([name, value]) => `${name}=${value}`), ...scope.envList()]
  const listed =
    arguments_.length === 0
      ? ''
      : `|${arguments_.length} ${arguments_.map(([name, value]) => `${name}=${value}`).join(' ')} `
  const createdBy = `RUN ${listed}${shown} # buildkit`
  const prepared = await prepareMounts(instruction, context, state, work)
  try {
    const key = keyOf(
      'run',
      state.key,
      args,
      env,
      config.User ?? '',
      config.WorkingDir ?? '',
      prepared.key,
      [instruction.network, instruction.security, ...instruction.devices],
      work.limits.addHosts ?? [],
    )
    const found = context.noCache ? undefined : await cached(work, key, state)
    if (found !== undefined) {
      append(state, found, key, createdBy, work)
      return { cached: true }
    }
    work.signal.throwIfAborted()
    const made = draft(work, 'run')
    const layers = pathsOf(work, state)
    const output = new Tail()
    const proxies = Object.entries(context.proxies).map(([name, value]) => `${name}=${value}`)
    const fullEnv = [...proxies, ...env, ...prepared.env]
    const place = { user: config.User ?? '', workdir: config.WorkingDir ?? '/' }
    const result = await work.parts.runner.run({
      command: args,
      env: fullEnv,
      ...place,
      hostname: work.hostname,
      layers,
      upper: made.upper,
      work: made.work,
      mounts: prepared.mounts,
      network: instruction.network,
      privileged: instruction.security === 'insecure',
      devices: instruction.devices,
      limits: work.limits,
      onOutput: (stream, data) => {
        output.add(data)
        work.emit({ type: 'output', step: context.step, stream, data, time: work.parts.now() })
      },
      signal: work.signal,
    })
    work.signal.throwIfAborted()
    if (result.exitCode !== 0) {
      const kept = work.keepFailed ? { layers: [made.upper, ...layers], env: fullEnv, ...place } : undefined
      throw failure(instruction, shown, result, output, context, kept)
    }
    await refuseSecrets(made.upper, prepared.secrets, instruction, work)
    const done = await commit(work, made, [key], 'run', instruction.original)
    append(state, done, key, createdBy, work)
    return { cached: false }
  } finally {
    await prepared.release()
  }
}

function failure(
  instruction: Run,
  shown: string,
  result: { exitCode: number; oomKilled: boolean },
  output: Tail,
  context: RunContext,
  kept: { layers: string[]; env: string[]; workdir: string; user: string } | undefined,
): BuildError {
  const why = result.oomKilled ? ' (killed: out of memory)' : ''
  return new BuildError(
    'ERR_JUBAKO_BUILD',
    `process ${JSON.stringify(shown)} did not complete successfully: exit code: ${result.exitCode}${why}`,
    {
      location: instruction.location,
      failed: {
        name: context.name,
        instruction: instruction.original,
        location: instruction.location,
        exitCode: result.exitCode,
        output: output.text(),
        kept,
      },
    },
  )
}

class Tail {
  #chunks: Buffer[] = []
  #size = 0

  add(data: Buffer): void {
    this.#chunks.push(data)
    this.#size += data.length
    while (this.#size - this.#chunks[0]!.length > TAIL) this.#size -= this.#chunks.shift()!.length
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-TAIL).toString('utf8')
  }
}
