import type { ExitStatus } from '../../engine/types.js'
import type { Call } from '../call.js'
import { badRequest } from '../errors.js'

const CONDITIONS = ['', 'not-running', 'next-exit', 'removed']

export async function containerWait(call: Call): Promise<void> {
  const condition = call.query.text('condition')
  if (!CONDITIONS.includes(condition)) throw badRequest(`invalid condition: "${condition}"`)
  const container = await call.resident.container(call.params.id!)
  const { starts } = call.resident
  // The head goes out at once: then the client knows that a start it makes now is not missed.
  const exit = waiting()
  exit.catch(() => {})
  await call.reply.start(200, { 'Content-Type': 'application/json' })
  const status = await exit.catch((error: unknown) => {
    if (call.signal.aborted) return undefined
    throw error
  })
  await starts.flushed(container.id)
  await call.reply.write(`${JSON.stringify({ StatusCode: status?.exitCode ?? 0 })}\n`)

  async function waiting(): Promise<ExitStatus | undefined> {
    if (condition === 'next-exit') return starts.nextExit(container, call.signal)
    if (condition !== 'removed') return container.wait()
    const { state } = await container.summary()
    const ended = state === 'created' ? await starts.nextExit(container, call.signal) : await container.wait()
    await starts.removed(container.id, call.signal)
    return ended
  }
}
