import { packageVersion } from '../engine/version.js'
import { isAllowed } from './allow.js'
import { Call } from './call.js'
import { ApiError, messageOf, statusOf } from './errors.js'
import type { Exchange } from './http/connection.js'
import { HttpError } from './http/head.js'
import type { Headers, Reply } from './http/reply.js'
import { Query } from './query.js'
import type { Resident } from './resident.js'
import { API_VERSION, Router, splitVersion } from './router.js'
import { routes } from './routes.js'

const router = new Router(routes)

/** Header fields of every answer. */
export const commonHeaders: Headers = {
  'Api-Version': API_VERSION,
  'Docker-Experimental': 'false',
  Ostype: 'linux',
  Server: `jubako/${packageVersion()} (linux)`,
}

/** Answers one request. Never rejects: what goes wrong is the answer. */
export async function serveRequest(resident: Resident, exchange: Exchange): Promise<void> {
  const { head, reply } = exchange
  try {
    const [path = '/', query = ''] = splitOnce(head.target, '?')
    const { version, rest } = splitVersion(path)
    const match = router.match(head.method, rest)
    if (match === undefined) throw new ApiError(404, 'page not found')
    const [, , operation, load] = match.route
    if (!isAllowed(resident.allow, operation)) {
      throw new ApiError(403, `this socket does not allow ${operation}`)
    }
    const handler = await load()
    await handler(new Call(resident, match.params, new Query(new URLSearchParams(query)), version, exchange))
  } catch (error) {
    await answerError(error, reply)
  }
}

function splitOnce(text: string, by: string): [string, string] {
  const at = text.indexOf(by)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** The error as its status and message; on an answer that was begun, the connection's end says that it is not whole. */
export async function answerError(error: unknown, reply: Reply): Promise<void> {
  if (reply.hijacked) return
  if (reply.begun) {
    reply.cut()
    return
  }
  const status = statusOf(error)
  // After an error of the protocol nobody knows where the next request begins.
  if (error instanceof HttpError) reply.close = true
  if (status === 304) await reply.empty(304)
  else await reply.json(status, { message: messageOf(error) })
}
