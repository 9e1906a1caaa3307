import type { Call } from '../call.js'
import { badRequest } from '../errors.js'
import { createRequest } from '../shapes/create-options.js'

export async function containerCreate(call: Call): Promise<void> {
  const body = await call.json('ContainerConfigWrapper', { required: true })
  const { image, command, options, warnings } = createRequest(body)
  if (image === '') throw badRequest('no image specified')
  const [name, platform] = [call.query.given('name'), call.query.given('platform')]
  const labels = { ...options.labels, ...call.resident.labels }
  // Volumes that are made along with the container are the socket's too.
  if (call.resident.allow?.labels !== undefined) {
    for (const it of options.mounts ?? [])
      if (it.type === 'volume') it.labels = { ...it.labels, ...call.resident.labels }
  }
  const container = await call.engine.create(image, command, {
    ...options,
    labels,
    // The client pulls when it is told that there is no such image.
    pull: 'never',
    ...(name !== undefined && { name: name.replace(/^\//, '') }),
    ...(platform !== undefined && { platform }),
  })
  await call.reply.json(201, { Id: container.id, Warnings: warnings })
}
