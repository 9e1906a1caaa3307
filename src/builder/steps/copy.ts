import { closeSync, lstatSync, openSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  cleanPath,
  DockerfileError,
  didYouMean,
  type InstructionOf,
  nearest,
  parseChmod,
} from '../../dockerfile/index.js'
import { isJubakoError } from '../../errors/index.js'
import { keyOf, type StageState } from '../state.js'
import type { TreeRequest, TreeRoot } from '../tree/orders.js'
import { MissingSource, TreeSession } from '../tree/session.js'
import { expandAt, type Scope } from '../variables.js'
import { append, cached, commit, draft, pathsOf, type Work } from '../work.js'
import { isArchive, readStart } from './archives.js'
import { type Fetched, fetchAll, isRemote, type Piece } from './fetch.js'
import { absoluteTarget, relativeSource } from './paths.js'

type Copy = InstructionOf<'copy' | 'add'>

/** A copy with its variables expanded. */
interface Plan {
  instruction: Copy
  sources: string[]
  remote: string[]
  inline: { name: string; content: string }[]
  target: string
  intoTarget: boolean
  owner: string
  request: Pick<TreeRequest, 'owner' | 'chmod' | 'excludes' | 'latest'>
  createdBy: string
}

function planCopy(instruction: Copy, scope: Scope, token: string, workdir: string | undefined, work: Work): Plan {
  const { location } = instruction
  const word = (text: string) => expandAt(text, scope.get, location, token)
  const refuse = (message: string, hint?: string): never => {
    throw new DockerfileError(message, location, { hint })
  }
  const all = instruction.sources.map(word)
  const remote = all.filter((source) => instruction.kind === 'add' && isRemote(source))
  if (instruction.kind === 'copy') {
    const other = all.find((source) => /^https?:\/\//.test(source))
    if (other !== undefined) refuse("source can't be a URL for COPY", 'use ADD')
  }
  if (instruction.checksum !== undefined && remote.length !== 1) {
    refuse(
      remote.length === 0
        ? 'checksum requires HTTP(S) or Git sources'
        : "checksum can't be specified for multiple sources",
    )
  }
  const sources = all
    .filter((source) => !remote.includes(source))
    .map((source) => {
      const { path, leaves } = relativeSource(source)
      if (leaves)
        refuse(`forbidden path outside the build context: ${source}`, 'copy what is needed into the context first')
      return instruction.parents ? source.replace(/^\/+/, '') : path
    })
  const inline = instruction.inline.map(({ name, content, expand }) => ({
    name,
    content: expand ? expandAt(content, scope.get, location, token, true) : content,
  }))
  const given = word(instruction.target)
  const target = absoluteTarget(given, workdir)
  const many = sources.length + remote.length + inline.length > 1
  if (many && !target.endsWith('/') && given !== '/') {
    refuse(
      `When using ${instruction.kind.toUpperCase()} with more than one source file, the destination must be a directory and end with a /`,
    )
  }
  const owner = instruction.chown === undefined ? '' : word(instruction.chown)
  const mode = instruction.chmod === undefined ? undefined : word(instruction.chmod)
  let chmod: TreeRequest['chmod']
  try {
    chmod = mode === undefined ? undefined : parseChmod(mode)
  } catch (error) {
    refuse((error as Error).message)
  }
  const flags = [
    ...(instruction.parents ? ['--parents'] : []),
    ...(owner === '' ? [] : [`--chown=${owner}`]),
    ...(mode === undefined ? [] : [`--chmod=${mode}`]),
  ]
  const shown = [...flags, ...all, ...inline.map(({ name }) => `<<${name}`), given]
  return {
    instruction,
    sources,
    remote,
    inline,
    target,
    intoTarget: target.endsWith('/') || many,
    owner,
    request: { owner, chmod, excludes: instruction.exclude.map(word).map(cleanPath), latest: work.epoch },
    createdBy: `${instruction.kind.toUpperCase()} ${shown.join(' ')} # buildkit`,
  }
}

/** What a plan reads from: the context, or another stage's or image's files. */
interface Source {
  root: TreeRoot
  session: TreeSession
  request: Partial<TreeRequest>
  /** Known without reading: digest of what made the files. */
  key: string | undefined
  close(): Promise<void>
}

async function openSource(plan: Plan, stage: number, work: Work): Promise<Source> {
  const { from } = plan.instruction
  const opened =
    from === undefined ? { context: work.context } : await work.open(from, { stage, instruction: plan.instruction })
  if ('context' in opened) {
    const { context } = opened
    return {
      root: { layers: [context.path] },
      session: context.session,
      request: { noOwner: true, ignores: context.ignores },
      key: undefined,
      close: async () => {},
    }
  }
  const root = { layers: opened.layers.length === 0 ? [work.scratch.directory('empty')] : opened.layers }
  const session = new TreeSession([root])
  return { root, session, request: {}, key: opened.key, close: () => session.close() }
}

/** COPY and ADD. */
export async function copyStep(
  instruction: Copy,
  state: StageState,
  context: { scope: Scope; token: string; stage: number; noCache: boolean },
  work: Work,
): Promise<{ cached: boolean }> {
  const plan = planCopy(instruction, context.scope, context.token, state.config.WorkingDir, work)
  // A linked copy is the same whatever lies below it.
  const below = instruction.link ? 'link' : state.key
  const form = [
    instruction.kind,
    plan.sources,
    plan.target,
    plan.owner,
    JSON.stringify([
      plan.request.chmod ?? null,
      plan.request.excludes,
      instruction.parents,
      instruction.unpack ?? null,
    ]),
    plan.inline.flatMap(({ name, content }) => [name, content]),
  ] as const
  const source = await openSource(plan, context.stage, work)
  const after = (key: string) => (instruction.link ? keyOf('linked', state.key, key) : keyOf('copied', key))
  try {
    const fast =
      source.key === undefined || plan.remote.length > 0 ? undefined : keyOf('copy', below, source.key, ...form)
    const known = fast === undefined || context.noCache ? undefined : await cached(work, fast, state)
    if (fast !== undefined && known !== undefined) {
      append(state, known, after(fast), plan.createdBy, work)
      return { cached: true }
    }
    const request = { ...plan.request, ...source.request, wildcards: true, parents: instruction.parents }
    const content =
      plan.sources.length === 0
        ? { digest: '', files: 0 }
        : await source.session.act({ act: 'digest', sources: plan.sources, ...request, owner: '' })
    const fetched = await fetchAll(plan.remote, instruction, work)
    const slow = keyOf(
      'copy',
      below,
      content.digest,
      fetched.map(({ digest }) => digest),
      ...form,
    )
    const found = context.noCache ? undefined : await cached(work, slow, state)
    if (found !== undefined) {
      append(state, found, after(fast ?? slow), plan.createdBy, work)
      return { cached: true }
    }
    const made = await makeCopy(plan, source, state, request, content.files > 0, fetched, work)
    const keys = fast === undefined ? [slow] : [slow, fast]
    const done = await commit(work, made, keys, 'copy', instruction.original)
    append(state, done, after(fast ?? slow), plan.createdBy, work)
    return { cached: false }
  } catch (error) {
    throw explained(error, plan, work)
  } finally {
    await source.close()
  }
}

async function makeCopy(
  plan: Plan,
  source: Source,
  state: StageState,
  request: Partial<TreeRequest>,
  hasFiles: boolean,
  fetched: Fetched[],
  work: Work,
) {
  const made = draft(work, 'copy')
  const { instruction, target, intoTarget } = plan
  const layers = instruction.link ? [] : pathsOf(work, state)
  const roots: TreeRoot[] = [source.root]
  const acts: TreeRequest[] = []
  const place = { target, intoTarget }
  const unpacks = instruction.kind === 'add' && instruction.unpack !== false && hasFiles
  if (unpacks) {
    for (const path of plan.sources) {
      for (const piece of await unpackSource(path, source, request, work)) {
        roots.push({ layers: [piece.path] })
        const whole = piece.archive ? { target: target.endsWith('/') ? target : `${target}/` } : place
        acts.push({
          act: 'copy',
          root: roots.length - 1,
          sources: piece.archive ? [''] : piece.names,
          ...plan.request,
          ...whole,
          noOwner: !piece.archive,
          replace: piece.archive,
        })
      }
    }
  } else if (plan.sources.length > 0) {
    acts.push({ act: 'copy', sources: plan.sources, ...request, ...plan.request, ...place })
  }
  for (const piece of fetched) {
    roots.push({ layers: [piece.path] })
    acts.push({ act: 'copy', root: roots.length - 1, sources: piece.names, ...plan.request, ...place, noOwner: true })
  }
  if (plan.inline.length > 0) {
    const path = work.scratch.directory('inline')
    for (const { name, content } of plan.inline) {
      writeFileSync(join(path, basename(name)), content, { mode: 0o644 })
      if (work.epoch !== undefined) utimesSync(join(path, basename(name)), work.epoch, work.epoch)
    }
    roots.push({ layers: [path] })
    acts.push({
      act: 'copy',
      root: roots.length - 1,
      sources: plan.inline.map(({ name }) => basename(name)),
      ...plan.request,
      ...place,
      noOwner: true,
    })
  }
  const session = new TreeSession(roots, { layers, upper: made.upper, work: made.work })
  const abort = () => session.kill()
  work.signal.addEventListener('abort', abort, { once: true })
  try {
    for (const act of acts) await session.act(act)
  } finally {
    work.signal.removeEventListener('abort', abort)
    await session.close()
  }
  work.signal.throwIfAborted()
  return made
}

/** ADD of local files: archives are unpacked, everything else is copied. */
async function unpackSource(path: string, source: Source, request: Partial<TreeRequest>, work: Work): Promise<Piece[]> {
  const here = work.scratch.directory('add')
  const session = new TreeSession([source.root], { layers: [], upper: here, work: '' })
  try {
    await session.act({
      act: 'copy',
      sources: [path],
      ...request,
      owner: '',
      chmod: undefined,
      target: '/',
      intoTarget: true,
    })
  } finally {
    await session.close()
  }
  const pieces: Piece[] = []
  const plain: string[] = []
  for (const name of readdirSync(here)) {
    const file = join(here, name)
    const start = lstatSync(file).isFile() ? readStart(file) : Buffer.alloc(0)
    if (!isArchive(start)) {
      plain.push(name)
      continue
    }
    const target = work.scratch.directory('unpacked')
    const fd = openSync(file, 'r')
    try {
      await work.parts.unpack({ fd, target, compression: 'any', signal: work.signal })
      pieces.push({ path: target, names: [''], archive: true })
    } catch (error) {
      // Compressed, but no archive.
      if (!isJubakoError(error, 'ERR_JUBAKO_INTEGRITY') || error.path !== undefined) throw error
      plain.push(name)
    } finally {
      closeSync(fd)
    }
  }
  const isDirectory = plain.length > 0 && pieces.length === 0 && plain.length !== 1
  if (isDirectory) pieces.push({ path: here, names: [''], archive: false })
  else if (plain.length > 0) pieces.push({ path: here, names: plain, archive: false })
  return pieces
}

/** Says what was looked for, and what was probably meant. */
function explained(error: unknown, plan: Plan, work: Work): unknown {
  const { location, kind, from } = plan.instruction
  if (error instanceof MissingSource) {
    const source = plan.sources.find((path) => path === error.source) ?? error.source
    const name = basename(source)
    const ignored = from === undefined && work.context.ignored(source)
    const meant = ignored ? undefined : nearest(name, error.names)
    const hint = ignored
      ? 'the path is excluded by .dockerignore'
      : meant !== undefined
        ? `did you mean ${join(source, '..', meant)}?`
        : `there is no such file in ${from === undefined ? 'the build context' : from}`
    return new DockerfileError(
      `failed to compute cache key: "/${source}": not found${ignored ? '' : didYouMean(name, error.names)}`,
      location,
      {
        hint,
        cause: error,
      },
    )
  }
  if (error instanceof DockerfileError || work.signal.aborted) return error
  if (error instanceof Error)
    return new DockerfileError(`${kind.toUpperCase()}: ${error.message}`, location, { cause: error })
  return error
}
