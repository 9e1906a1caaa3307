import { DockerfileError, type InstructionOf, parseMount, type RunMount } from '../../dockerfile/index.js'
import { takeCacheMount } from '../cache/mounts.js'
import type { StageState } from '../state.js'
import { TreeSession } from '../tree/session.js'
import type { StepMount } from '../types.js'
import { expandAt, type Scope } from '../variables.js'
import { draft, type Work } from '../work.js'
import { absoluteTarget } from './paths.js'

export type Run = InstructionOf<'run'>

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

/** The mounts of a RUN step, ready for its container. */
export interface Prepared {
  mounts: StepMount[]
  env: string[]
  /** Ids of the secrets that the step is given. */
  secrets: string[]
  /** What of the mounts counts for the cache. */
  key: string[]
  release(): Promise<void>
}

export async function prepareMounts(
  instruction: Run,
  context: RunContext,
  state: StageState,
  work: Work,
): Promise<Prepared> {
  const { location } = instruction
  const mounts: StepMount[] = []
  const env: string[] = []
  const secrets: string[] = []
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
      if (target === '/') throw new DockerfileError(`invalid mount target ${JSON.stringify(mount.target)}`, location)
      await addMount(
        { ...mount, ...(target !== undefined && { target }) },
        { mounts, env, secrets, key, releases },
        instruction,
        context,
        work,
      )
    }
    return { mounts, env, secrets, key, release }
  } catch (error) {
    await release()
    throw error
  }
}

async function addMount(
  mount: RunMount,
  out: Omit<Prepared, 'release'> & { releases: (() => Promise<void> | void)[] },
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
      out.secrets.push(id)
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
