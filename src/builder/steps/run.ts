import { DockerfileError, type InstructionOf, parseMount, type RunMount } from '../../dockerfile/index.js'
import { takeCacheMount } from '../cache/mounts.js'
import { BuildError } from '../error.js'
import { keyOf, type StageState } from '../state.js'
import { TreeSession } from '../tree/session.js'
import type { StepMount } from '../types.js'
import { expandAt, isProxyArgument, type Scope } from '../variables.js'
import { append, cached, commit, draft, pathsOf, type Work } from '../work.js'
import { absoluteTarget } from './paths.js'

type Run = InstructionOf<'run'>

export interface RunContext {
  scope: Scope
  token: string
  stage: number
  noCache: boolean
  /** `[build 2/5] RUN make`. */
  name: string
  step: string
  /** Proxies given from outside: for the process, not for the cache. */
  proxies: Readonly<Record<string, string>>
  defaultShell: readonly string[]
}

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

interface Prepared {
  mounts: StepMount[]
  env: string[]
  /** What of the mounts counts for the cache. */
  key: string[]
  release(): Promise<void>
}

async function prepareMounts(instruction: Run, context: RunContext, state: StageState, work: Work): Promise<Prepared> {
  const { location } = instruction
  const mounts: StepMount[] = []
  const env: string[] = []
  const key: string[] = []
  const releases: (() => Promise<void> | void)[] = []
  const release = async () => {
    for (const act of releases.splice(0).reverse()) await act()
  }
  try {
    for (const text of instruction.mounts) {
      let mount: RunMount
      try {
        mount = parseMount(text, (word) => expandAt(word, context.scope.get, location, context.token))
      } catch (error) {
        if (error instanceof DockerfileError) throw error
        throw new DockerfileError((error as Error).message, location)
      }
      const target =
        mount.target === undefined
          ? undefined
          : absoluteTarget(mount.target, state.config.WorkingDir).replace(/(.)\/$/, '$1')
      await addMount(
        { ...mount, ...(target !== undefined && { target }) },
        { mounts, env, key, releases },
        instruction,
        context,
        work,
      )
    }
    return { mounts, env, key, release }
  } catch (error) {
    await release()
    throw error
  }
}

async function addMount(
  mount: RunMount,
  out: { mounts: StepMount[]; env: string[]; key: string[]; releases: (() => Promise<void> | void)[] },
  instruction: Run,
  context: RunContext,
  work: Work,
): Promise<void> {
  const { location } = instruction
  const target = mount.target ?? ''
  switch (mount.type) {
    case 'tmpfs':
      out.mounts.push({ type: 'tmpfs', target, size: mount.size, readonly: mount.readonly })
      out.key.push(`tmpfs ${target} ${mount.size ?? ''}`)
      return
    case 'secret': {
      const id = mount.id ?? mount.source ?? target.slice(target.lastIndexOf('/') + 1)
      const value = work.secrets[id]
      out.key.push(`secret ${id} ${target} ${mount.env ?? ''}`)
      if (value === undefined) {
        if (!mount.required) return
        throw new DockerfileError(`secret ${id}: not found`, location, {
          hint: `give it with --secret id=${id},src=FILE`,
        })
      }
      if (mount.env !== undefined) out.env.push(`${mount.env}=${value.toString('utf8')}`)
      if (mount.env !== undefined && mount.target === undefined) return
      out.mounts.push({
        type: 'secret',
        target: mount.target ?? `/run/secrets/${id}`,
        value,
        mode: mount.mode ?? 0o400,
        uid: mount.uid ?? 0,
        gid: mount.gid ?? 0,
      })
      return
    }
    case 'ssh': {
      const id = mount.id ?? 'default'
      const socket = work.ssh[id]
      const at = mount.target ?? `/run/buildkit/ssh_agent.${out.mounts.length}`
      out.key.push(`ssh ${id} ${at}`)
      if (socket === undefined) {
        if (!mount.required) return
        throw new DockerfileError(`ssh ${id}: not found`, location, { hint: `give it with --ssh ${id}` })
      }
      out.mounts.push({ type: 'socket', source: socket, target: at })
      if (!out.env.some((entry) => entry.startsWith('SSH_AUTH_SOCK='))) out.env.push(`SSH_AUTH_SOCK=${at}`)
      return
    }
    case 'cache':
      return addCacheMount(mount, target, out, instruction, context, work)
    case 'bind':
      return addBind(mount, target, out, instruction, context, work)
  }
}

async function addCacheMount(
  mount: RunMount,
  target: string,
  out: { mounts: StepMount[]; key: string[]; releases: (() => Promise<void> | void)[] },
  instruction: Run,
  context: RunContext,
  work: Work,
): Promise<void> {
  const id = work.mountNamespace + (mount.id ?? target)
  out.key.push(`cache ${mount.id ?? target} ${target} ${mount.readonly}`)
  const taken = await takeCacheMount(work.cache.mounts, id, mount, work.parts.now(), work.signal)
  out.releases.push(() => taken.release())
  if (taken.fresh && mount.from !== undefined) {
    const opened = await work.open(mount.from, { stage: context.stage, instruction })
    const files = 'context' in opened ? opened.context : undefined
    const layers = 'context' in opened ? [opened.context.path] : opened.layers
    const session = new TreeSession([{ layers }], { layers: [], upper: taken.path, work: '' })
    try {
      await session.act({
        act: 'copy',
        sources: [(mount.source ?? '').replace(/^\/+/, '')],
        target: '/',
        intoTarget: true,
        ...(files !== undefined && { noOwner: true, ignores: files.ignores }),
      })
    } finally {
      await session.close()
    }
  }
  out.mounts.push({ type: 'directory', source: taken.path, target, readonly: mount.readonly })
}

async function addBind(
  mount: RunMount,
  target: string,
  out: { mounts: StepMount[]; key: string[] },
  instruction: Run,
  context: RunContext,
  work: Work,
): Promise<void> {
  const path = (mount.source ?? '').replace(/^\/+/, '')
  let layers: string[]
  const opened =
    mount.from === undefined
      ? { context: work.context }
      : await work.open(mount.from, { stage: context.stage, instruction })
  if ('layers' in opened) {
    layers = opened.layers
    out.key.push(`bind ${opened.key} ${path} ${target} ${mount.readonly}`)
  } else {
    const { context: files } = opened
    const request = { sources: [path], noOwner: true, ignores: files.ignores } as const
    const { digest } = await files.session.act({ act: 'digest', ...request })
    out.key.push(`bind ${digest} ${path} ${target} ${mount.readonly}`)
    layers = [files.path]
    if (files.ignores.length > 0) {
      // What is ignored is not there for the step either.
      const copy = work.scratch.directory('bind')
      const session = new TreeSession([{ layers: [files.path] }], { layers: [], upper: copy, work: '' })
      try {
        await session.act({ act: 'copy', ...request, parents: path !== '', target: '/', intoTarget: true })
      } finally {
        await session.close()
      }
      layers = [copy]
    }
  }
  const own = mount.readonly ? undefined : draft(work, 'bind')
  out.mounts.push({
    type: 'tree',
    layers,
    upper: own?.upper ?? null,
    work: own?.work ?? null,
    path,
    target,
    readonly: mount.readonly,
  })
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
