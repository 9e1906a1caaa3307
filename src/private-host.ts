import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveApi } from './api/index.js'
import type { Engine } from './engine/engine.js'

const SESSION_LABEL = 'dev.jubako.session'

/**
 * Serves the Docker Engine API on a temporary socket while `use` runs. Its clients see only what they made themselves
 * (images are shared); all of it is removed at the end.
 */
export async function withDockerHost<T>(engine: Engine, use: (dockerHost: string) => Promise<T> | T): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'jubako-'))
  const session = randomBytes(8).toString('hex')
  try {
    const socket = `${directory}/docker.sock`
    const server = await serveApi(engine, {
      listen: [{ socket, mode: 0o600 }],
      allow: { labels: { [SESSION_LABEL]: session }, hideLabels: true },
    })
    try {
      return await use(`unix://${socket}`)
    } finally {
      await server.close()
      await removeAll(engine, session)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Containers first: they hold the others. */
async function removeAll(engine: Engine, session: string): Promise<void> {
  const mine = ({ labels }: { labels: Record<string, string> }) => labels[SESSION_LABEL] === session
  const containers = (await engine.containers({ all: true })).filter(mine)
  await all(containers, async ({ id }) => (await engine.container(id)).remove({ force: true, volumes: true }))
  await all((await engine.networks.list()).filter(mine), ({ id }) => engine.networks.remove(id))
  await all((await engine.volumes.list()).filter(mine), ({ name }) => engine.volumes.remove(name, { force: true }))
}

/** Tries all; the first failure is told when everything was tried. */
async function all<T>(things: readonly T[], remove: (thing: T) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(things.map(remove))
  const failed = results.find((it) => it.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
