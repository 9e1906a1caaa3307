import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ContentStore } from '../content/index.js'
import { type Digest, isDigest } from '../oci/index.js'
import type { Access, Auth } from './auth.js'
import type { BlobReader } from './blob-reader.js'
import type { Documents } from './documents.js'
import { HubError } from './errors.js'
import type { Metrics } from './metrics.js'
import type { Origin } from './origin.js'
import { byName, type RepositoryStore } from './repositories.js'
import type { Space } from './space.js'
import type { Uploads } from './uploads.js'
import type { UpstreamCache } from './upstream.js'

export interface HubParts {
  store: ContentStore
  blobs: BlobReader
  documents: Documents
  repositories: RepositoryStore
  uploads: Uploads
  space: Space
  auth: Auth
  metrics: Metrics
  upstream: UpstreamCache | undefined
  readonly: boolean
  origin(request: IncomingMessage): Origin
  /** Connections that are open. */
  connections(): Promise<number>
}

/** One request to a repository. */
export interface Call {
  parts: HubParts
  request: IncomingMessage
  response: ServerResponse
  access: Access
  query: URLSearchParams
  name: string
  /** The rest of the path: a digest, tag or upload. */
  reference: string
}

/** @throws HubError `DIGEST_INVALID` */
export function digestOfText(text: string | null): Digest {
  if (isDigest(text)) return text
  throw new HubError('DIGEST_INVALID', `invalid digest ${String(text).slice(0, 160)}`)
}

export function json(call: Pick<Call, 'request' | 'response'>, status: number, value: unknown, headers = {}): void {
  const body = Buffer.from(JSON.stringify(value))
  call.response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length, ...headers })
  call.response.end(call.request.method === 'HEAD' ? undefined : body)
}

const MOST = 10_000

/** A part of a sorted list: `n` entries after `last`, and the link to the next part. */
export function page(
  call: Pick<Call, 'query'>,
  path: string,
  all: readonly string[],
): { part: string[]; headers: Record<string, string> } {
  const given = call.query.get('n')
  const n = given === null || given === '' ? MOST : Number(given)
  if (!Number.isInteger(n) || n < 0) throw new HubError('UNSUPPORTED', `invalid n: ${String(given).slice(0, 32)}`, 400)
  const last = call.query.get('last')
  const rest = last === null ? all : all.filter((it) => byName(it, last) > 0)
  const part = rest.slice(0, Math.min(n, MOST))
  const end = part.at(-1)
  if (end === undefined || part.length === rest.length) return { part, headers: {} }
  return { part, headers: { Link: `<${path}?n=${part.length}&last=${encodeURIComponent(end)}>; rel="next"` } }
}
