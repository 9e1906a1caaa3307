import type { Call } from '../call.js'
import { ApiError } from '../errors.js'

/** What an engine that is in no swarm answers. */
export async function noSwarm(): Promise<void> {
  throw new ApiError(
    503,
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  )
}

export async function swarmLeave(): Promise<void> {
  throw new ApiError(503, 'This node is not part of a swarm')
}

export async function swarmRefused(): Promise<void> {
  throw new ApiError(501, 'swarm mode is not supported: jubako runs containers on one machine')
}

export async function pluginList(call: Call): Promise<void> {
  await call.reply.json(200, [])
}

export async function pluginMissing(call: Call): Promise<void> {
  throw new ApiError(404, `plugin "${call.params.name}" not found`)
}

export async function pluginRefused(): Promise<void> {
  throw new ApiError(501, 'plugins are not supported')
}

/** BuildKit's session: clients that get no session build with the classic builder. */
export async function sessionRefused(): Promise<void> {
  throw new ApiError(501, 'BuildKit sessions are not supported: build with DOCKER_BUILDKIT=0')
}
