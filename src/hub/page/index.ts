import type { IncomingMessage, ServerResponse } from 'node:http'
import { isTag } from '../../oci/index.js'
import type { Access } from '../auth.js'
import { type HubParts, page } from '../call.js'
import { HubError } from '../errors.js'
import { isRepositoryName } from '../repositories.js'
import { describe } from './describe.js'
import { POLICY } from './style.js'
import {
  type Frame,
  notFoundPage,
  repositoriesPage,
  repositoryLink,
  repositoryPage,
  type ShownTag,
  tagPage,
} from './views.js'

interface PageCall {
  parts: HubParts
  request: IncomingMessage
  response: ServerResponse
  access: Access
  query: URLSearchParams
}

/** Entries of a list on one page. */
const ENTRIES = 100

/** Pages for people: what an account may pull, and nothing else. */
export async function servePage(call: PageCall): Promise<void> {
  const { parts, request, response, access, query } = call
  const anonymous = parts.auth.hasAccounts && access.account === undefined
  if (anonymous && (query.has('login') || !(await seesAnything(call)))) {
    // Browsers ask for name and password by themselves.
    throw new HubError('UNAUTHORIZED', 'authentication required', undefined, {
      'WWW-Authenticate': 'Basic realm="registry", charset="UTF-8"',
    })
  }
  const { host } = parts.origin(request)
  const frame: Frame = { host, account: access.account, canLogIn: parts.auth.hasAccounts }
  const shown = await view(call, frame)
  const body = shown ?? notFoundPage(frame)
  response.writeHead(shown === undefined ? 404 : 200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Content-Security-Policy': POLICY,
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function visible({ parts, access }: PageCall): Promise<string[]> {
  return (await parts.repositories.names()).filter((name) => parts.auth.sees(access.account, name))
}

const seesAnything = async (call: PageCall): Promise<boolean> => (await visible(call)).length > 0

async function view(call: PageCall, frame: Frame): Promise<string | undefined> {
  const { parts, access, query } = call
  const name = query.get('repository')
  if (name === null) return repositories(call, frame)
  if (!isRepositoryName(name) || !parts.auth.sees(access.account, name)) return undefined
  const tag = query.get('tag')
  if (tag === null) return repository(call, frame, name)
  const digest = isTag(tag) ? await parts.repositories.tag(name, tag) : undefined
  const manifests = digest === undefined ? [] : await describe(parts, name, digest)
  return manifests.length === 0 ? undefined : tagPage(frame, name, tag, manifests)
}

/** A part of a list, and the link to the next one. */
function part(call: PageCall, all: readonly string[], path: string): { names: string[]; next: string | undefined } {
  const query = new URLSearchParams({ n: String(ENTRIES) })
  const last = call.query.get('last')
  if (last !== null) query.set('last', last)
  const { part: names, headers } = page({ query }, '', all)
  const end = names.at(-1)
  return { names, next: headers.Link === undefined ? undefined : `${path}last=${encodeURIComponent(end!)}` }
}

async function repositories(call: PageCall, frame: Frame): Promise<string> {
  const { names, next } = part(call, await visible(call), '/?')
  const shown = await Promise.all(
    names.map(async (name) => ({ name, tags: (await call.parts.repositories.tags(name)).length })),
  )
  return repositoriesPage(frame, shown, next)
}

async function repository(call: PageCall, frame: Frame, name: string): Promise<string | undefined> {
  const { repositories } = call.parts
  if (!(await repositories.exists(name))) return undefined
  const { names, next } = part(call, await repositories.tags(name), `${repositoryLink(name)}&`)
  const tags: ShownTag[] = []
  for (const tag of names) {
    const digest = await repositories.tag(name, tag)
    const manifests = digest === undefined ? [] : await describe(call.parts, name, digest).catch(() => [])
    tags.push({
      tag,
      size: manifests.reduce((sum, { size }) => sum + size, 0),
      platforms: [...new Set(manifests.map(({ platform }) => platform))],
    })
  }
  return repositoryPage(frame, name, tags, next)
}
