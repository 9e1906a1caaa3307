import type { Call } from '../call.js'
import { badRequest } from '../errors.js'
import { pruneTest } from '../image-filters.js'
import { pick, resourceRows, resources, restartPolicy } from '../shapes/create-options.js'

export async function containerTop(call: Call): Promise<void> {
  const container = await call.resident.container(call.params.id!)
  const words = call.query
    .text('ps_args')
    .split(/\s+/)
    .filter((it) => it !== '')
  const { titles, processes } = await container.top(words.length === 0 ? undefined : words)
  await call.reply.json(200, { Titles: titles, Processes: processes })
}

const KINDS = { modified: 0, added: 1, deleted: 2 } as const

export async function containerChanges(call: Call): Promise<void> {
  const container = await call.resident.container(call.params.id!)
  const changes = await container.changes()
  await call.reply.json(
    200,
    changes.length === 0 ? null : changes.map(({ kind, path }) => ({ Path: path, Kind: KINDS[kind] })),
  )
}

export async function containerRename(call: Call): Promise<void> {
  const name = call.query.given('name')
  if (name === undefined) throw badRequest('Neither old nor new names may be empty')
  const container = await call.resident.container(call.params.id!)
  await container.rename(name.replace(/^\//, ''))
  await call.reply.empty(204)
}

export async function containerUpdate(call: Call): Promise<void> {
  const container = await call.resident.container(call.params.id!)
  const body = await call.json('UpdateConfig', { required: true })
  const restart = restartPolicy(body)
  const warnings = await container.update({
    ...pick(body, resourceRows),
    ...resources(body),
    ...(restart !== undefined && { restart }),
  })
  await call.reply.json(200, { Warnings: warnings.length === 0 ? null : warnings })
}

const STOPPED = new Set(['exited', 'created', 'dead'])

export async function containerPrune(call: Call): Promise<void> {
  const { engine, resident } = call
  const filters = call.query.filters(['label', 'label!', 'until'])
  const matches = pruneTest(filters)
  const deleted: string[] = []
  let reclaimed = 0
  for (const it of await engine.containers({ all: true })) {
    if (!STOPPED.has(it.state) || !matches(it) || !resident.sees(it.labels)) continue
    try {
      const { written } = await engine.containerSize(it.id)
      await (await engine.container(it.id)).remove()
      reclaimed += written
      deleted.push(it.id)
    } catch (error) {
      // Another one was quicker, or has started it.
      if (!['ERR_JUBAKO_NOT_FOUND', 'ERR_JUBAKO_CONFLICT'].includes((error as { code?: string }).code ?? ''))
        throw error
    }
  }
  await call.reply.json(200, { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed })
}
