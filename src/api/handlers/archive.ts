import type { PathStat } from '../../engine/types.js'
import type { Call } from '../call.js'
import { badRequest } from '../errors.js'

/** Kinds of st_mode as Go's FileMode has them. */
const KINDS: Readonly<Record<number, number>> = {
  9604: 2 ** 31,
  21609: 2 ** 27,
  2401: 2 ** 25,
  26411: 2 ** 24,
  14406: 2 ** 26,
  4802: 2 ** 26 + 2 ** 21,
}
const SPECIAL = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
] as const

/** st_mode as Go's FileMode. */
export function goMode(mode: number): number {
  const kind = KINDS[mode & 0o170000] ?? 0
  return SPECIAL.reduce((sum, [bit, go]) => sum + ((mode & bit) === 0 ? 0 : go), kind + (mode & 0o777))
}

function statHeader(stat: PathStat): Record<string, string> {
  const text = JSON.stringify({
    name: stat.name,
    size: stat.size,
    mode: goMode(stat.mode),
    mtime: new Date(Number(stat.mtimeNano / 1_000_000n)).toISOString(),
    linkTarget: stat.linkTarget,
  })
  return { 'X-Docker-Container-Path-Stat': Buffer.from(text).toString('base64') }
}

function path(call: Call): string {
  const given = call.query.given('path')
  if (given === undefined) throw badRequest('missing "path" query parameter')
  return given.startsWith('/') ? given : `/${given}`
}

export async function archiveInfo(call: Call): Promise<void> {
  const container = await call.resident.container(call.params.id!)
  await call.reply.empty(200, statHeader(await container.stat(path(call))))
}

export async function archiveGet(call: Call): Promise<void> {
  const container = await call.resident.container(call.params.id!)
  const { stat, stream } = await container.copyOut(path(call), { signal: call.signal })
  await call.reply.start(200, { 'Content-Type': 'application/x-tar', ...statHeader(stat) })
  for await (const chunk of stream) if (!(await call.reply.write(chunk as Buffer))) break
  stream.destroy()
}

export async function archivePut(call: Call): Promise<void> {
  const container = await call.resident.container(call.params.id!)
  await container.copyIn(path(call), call.body(), {
    overwriteKinds: !call.query.bool('noOverwriteDirNonDir'),
    signal: call.signal,
  })
  await call.reply.empty(200)
}

export async function containerExport(call: Call): Promise<void> {
  const container = await call.resident.container(call.params.id!)
  const stream = await container.export({ signal: call.signal })
  await call.reply.start(200, { 'Content-Type': 'application/octet-stream' })
  for await (const chunk of stream) if (!(await call.reply.write(chunk as Buffer))) break
  stream.destroy()
}
