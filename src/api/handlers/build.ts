import type { BuildError, BuildEvent, BuildOptions, CacheEntry, StepLimits } from '../../engine/build-types.js'
import { isJubakoError } from '../../errors/index.js'
import { familiarReference, parseReference, withDefaultTag } from '../../oci/reference.js'
import type { Call } from '../call.js'
import { ApiError, badRequest, messageOf } from '../errors.js'
import { Fields } from '../fields.js'
import { moment } from '../image-filters.js'
import { JsonLines, LineError } from '../progress.js'
import { configCredentials } from '../registry-auth.js'

/** A JSON object in a query; values that are null are left out. */
function map(call: Call, name: string): Record<string, string> {
  const text = call.query.given(name)
  if (text === undefined) return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badRequest(`invalid ${name}: malformed JSON`)
  }
  const entries = Object.entries(new Fields({ value }, 'ImageBuildOptions').raw('value') as object)
  const given = entries.filter(([, it]) => it !== null)
  if (given.some(([, it]) => typeof it !== 'string')) throw badRequest(`invalid ${name}: values are strings`)
  return Object.fromEntries(given) as Record<string, string>
}

const NUMBERS = [
  ['memory', 'memory'],
  ['memswap', 'memorySwap'],
  ['cpushares', 'cpuShares'],
  ['cpuperiod', 'cpuPeriod'],
  ['cpuquota', 'cpuQuota'],
  ['shmsize', 'shmSize'],
] as const
const WORDS = [
  ['cpusetcpus', 'cpusetCpus'],
  ['cpusetmems', 'cpusetMems'],
  ['cgroupparent', 'cgroupParent'],
] as const

function list(call: Call, name: string): unknown[] {
  const text = call.query.given(name)
  if (text === undefined) return []
  try {
    const value = JSON.parse(text) as unknown
    if (value === null) return []
    if (Array.isArray(value)) return value
  } catch {
    // below
  }
  throw badRequest(`invalid ${name}: a JSON list is needed`)
}

function limits(call: Call): StepLimits {
  const { query } = call
  const out: StepLimits = {}
  for (const [name, option] of NUMBERS) {
    const value = query.int(name)
    if (value !== undefined && value !== 0) out[option] = value
  }
  for (const [name, option] of WORDS) {
    const value = query.given(name)
    if (value !== undefined) out[option] = value
  }
  const ulimits = list(call, 'ulimits').map((it) => new Fields(it, 'Ulimit'))
  if (ulimits.length > 0) {
    out.ulimits = ulimits.map((it) => ({
      name: it.string('Name') ?? '',
      soft: it.int('Soft') ?? 0,
      hard: it.int('Hard') ?? 0,
    }))
  }
  const security = list(call, 'securityopt').map(String)
  if (security.length > 0) out.securityOpt = security
  const hosts = query.all('extrahosts').filter((it) => it !== '')
  if (hosts.length > 0) out.addHosts = hosts
  const network = query.given('networkmode')
  if (network !== undefined && network !== 'default') out.network = network
  return out
}

function options(call: Call): BuildOptions {
  const { query } = call
  const remote = query.given('remote')
  if (remote === 'client-session') {
    throw new ApiError(501, 'BuildKit sessions are not supported: build with DOCKER_BUILDKIT=0')
  }
  const tags = query.all('t').filter((it) => it !== '')
  for (const tag of tags) parseReference(tag)
  const [dockerfile, target, platform] = [query.given('dockerfile'), query.given('target'), query.given('platform')]
  return {
    context: remote ?? { tar: call.body() },
    ...(dockerfile !== undefined && { dockerfile }),
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
    tags,
    args: map(call, 'buildargs'),
    labels: map(call, 'labels'),
    noCache: query.bool('nocache'),
    pull: query.bool('pull'),
    ...configCredentials(call.header('x-registry-config')),
    limits: limits(call),
    signal: call.signal,
  }
}

/** The events of a build in the classic builder's words. */
function classic(lines: JsonLines): (event: BuildEvent) => void {
  const shown = new Set<string>()
  return (event) => {
    if (event.type === 'start') {
      const [, number, count, instruction] = /^\[(?:[^\]]* )?(\d+)\/(\d+)\] (.*)$/s.exec(event.name) ?? []
      if (number === undefined) return
      shown.add(event.step)
      lines.send({ stream: `Step ${number}/${count} : ${instruction}\n` })
    } else if (event.type === 'cached') lines.send({ stream: ' ---> Using cache\n' })
    else if (event.type === 'output' && shown.has(event.step)) {
      lines.send({ stream: event.data.toString('utf8') })
    }
  }
}

/** A command's exit code is the exit code of `docker build`. */
function inClassicWords(error: unknown): unknown {
  const code = (error as Partial<BuildError>).failed?.exitCode
  const command = /^process "(.*)" did not complete/s.exec((error as Error).message)?.[1]
  if (code === undefined || command === undefined) {
    // Of a file that is missing in the context no client should think that the endpoint is.
    return isJubakoError(error, 'ERR_JUBAKO_NOT_FOUND') ? new ApiError(500, messageOf(error)) : error
  }
  return new LineError(code, `The command '${command}' returned a non-zero code: ${code}`)
}

export async function imageBuild(call: Call): Promise<void> {
  const { query } = call
  const asked = options(call)
  const quiet = query.bool('q')
  const lines = new JsonLines(call)
  const image = (id: string) => {
    if (query.text('version') === '2') lines.send({ id: 'moby.image.id', aux: { ID: id } })
    else if (!quiet) lines.send({ aux: { ID: id } })
  }
  await lines.run(async () => {
    const result = await call.engine
      .build({ ...asked, ...(!quiet && { onProgress: classic(lines) }) })
      .catch((error: unknown) => {
        throw inClassicWords(error)
      })
    await result.release()
    const id = result.imageId!
    image(id)
    if (quiet) return lines.send({ stream: `${id}\n` })
    lines.send({ stream: `Successfully built ${id.replace('sha256:', '').slice(0, 12)}\n` })
    for (const tag of asked.tags ?? []) {
      lines.send({ stream: `Successfully tagged ${familiarReference(withDefaultTag(parseReference(tag)))}\n` })
    }
  })
}

const PRUNE_FILTERS = ['description', 'id', 'inuse', 'parent', 'private', 'shared', 'type', 'until', 'unused-for']

export async function buildPrune(call: Call): Promise<void> {
  const { query } = call
  const filters = query.filters(PRUNE_FILTERS)
  const [inUse, shared] = [filters.flag('inuse'), filters.flag('shared')]
  const until = [...filters.get('until'), ...filters.get('unused-for')].map((it) => moment(it))
  const any = (name: string, test: (value: string) => boolean) => !filters.has(name) || filters.get(name).some(test)
  const keepStorage = query.int('reserved-space') ?? query.int('keep-storage')
  const { deleted, reclaimed } = await call.engine.build.prune({
    all: query.bool('all'),
    ...(keepStorage !== undefined && { keepStorage }),
    filter: (entry: CacheEntry) =>
      any('id', (value) => entry.id.startsWith(value)) &&
      any('type', (value) => entry.kind === value) &&
      any('description', (value) => entry.description.includes(value)) &&
      (inUse === undefined || entry.inUse === inUse) &&
      (shared === undefined || entry.shared === shared) &&
      until.every((at) => entry.lastUsedAt < at),
  })
  await call.reply.json(200, { CachesDeleted: deleted.map(({ id }) => id), SpaceReclaimed: reclaimed })
}
