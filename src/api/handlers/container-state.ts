import type { AttachOptions, Container } from '../../engine/types.js'
import type { Call } from '../call.js'
import { ApiError, badRequest, notModified } from '../errors.js'
import { Output } from '../session.js'

const found = (call: Call): Promise<Container> => call.resident.container(call.params.id!)

const runs = async (container: Container): Promise<boolean> =>
  ['running', 'paused', 'restarting'].includes((await container.summary()).state)

/** Seconds; undefined for the container's own. */
function timeout(call: Call): { timeout?: number; signal?: string } {
  const [seconds, signal] = [call.query.int('t'), call.query.given('signal')]
  return { ...(seconds !== undefined && { timeout: seconds }), ...(signal !== undefined && { signal }) }
}

/** Starts a container with those attached who wait for it. */
async function startWith(call: Call, container: Container): Promise<void> {
  const { starts } = call.resident
  const early = starts.takeEarly(container.id)
  if (early.length === 0) {
    await container.start()
    starts.begun(container)
    return
  }
  const any = (name: keyof AttachOptions) => early.some(({ wanted }) => wanted[name])
  try {
    await container.start({ attach: { stdin: any('stdin'), stdout: true, stderr: true } })
  } catch (error) {
    for (const it of early) starts.attachEarly(container.id, it)
    throw error
  }
  const sinks = early.map(({ sink }) => sink)
  const output = starts.track(container.id, new Output(container, sinks).begin())
  for (const it of early) it.begin(output)
  starts.begun(container)
}

export async function containerStart(call: Call): Promise<void> {
  const container = await found(call)
  const { state } = await container.summary()
  if (state === 'paused') throw new ApiError(409, 'cannot start a paused container, try unpause instead')
  if (state === 'running' || state === 'restarting') throw notModified()
  await call.resident.starts.starting(container.id, () => startWith(call, container))
  await call.reply.empty(204)
}

export async function containerStop(call: Call): Promise<void> {
  const container = await found(call)
  const options = timeout(call)
  if (!(await runs(container))) throw notModified()
  await container.stop(options)
  await call.reply.empty(204)
}

export async function containerRestart(call: Call): Promise<void> {
  const container = await found(call)
  await container.stop(timeout(call))
  const again = await found(call)
  await call.resident.starts.starting(again.id, () => startWith(call, again))
  await call.reply.empty(204)
}

export async function containerKill(call: Call): Promise<void> {
  const container = await found(call)
  const signal = call.query.given('signal') ?? 'SIGKILL'
  if (!(await runs(container)))
    throw new ApiError(409, `cannot kill container: ${call.params.id}: container ${container.id} is not running`)
  await container.kill(signal)
  // As docker has it: after a SIGKILL the container has ended when the answer comes.
  if (/^(SIG)?KILL$|^9$/i.test(signal)) await container.wait()
  await call.reply.empty(204)
}

export async function containerPause(call: Call): Promise<void> {
  await (await found(call)).pause()
  await call.reply.empty(204)
}

export async function containerUnpause(call: Call): Promise<void> {
  await (await found(call)).unpause()
  await call.reply.empty(204)
}

export async function containerDelete(call: Call): Promise<void> {
  const { query, resident } = call
  if (query.bool('link')) throw badRequest('links are not supported')
  const container = await found(call)
  await container.remove({ force: query.bool('force'), volumes: query.bool('v') })
  for (const it of resident.starts.takeEarly(container.id)) it.abandon()
  await call.reply.empty(204)
}

export async function containerResize(call: Call): Promise<void> {
  const container = await found(call)
  const { columns, rows } = size(call)
  if (!(await runs(container))) throw new ApiError(409, `container ${container.id} is not running`)
  await container.resize(columns, rows)
  await call.reply.empty(200)
}

/** `w` and `h` of a resize. */
export function size(call: Call): { columns: number; rows: number } {
  const [columns, rows] = [call.query.int('w'), call.query.int('h')]
  if (columns === undefined || rows === undefined || columns < 0 || rows < 0 || columns > 65535 || rows > 65535) {
    throw badRequest('invalid terminal size: h and w are needed')
  }
  return { columns, rows }
}
