import type { Call } from '../call.js'

export async function containerInspect(call: Call): Promise<void> {
  const container = await call.resident.container(call.params.id!)
  const value: Record<string, unknown> = { ...(await container.inspect()) }
  value.ExecIDs ??= call.resident.execs.of(container.id)
  if (call.resident.allow?.hideLabels) value.Config = call.resident.shown(value.Config as Record<string, unknown>)
  if (call.query.bool('size')) {
    const { written, total } = await call.engine.containerSize(container.id)
    Object.assign(value, { SizeRw: written, SizeRootFs: total })
  }
  await call.reply.json(200, value)
}
