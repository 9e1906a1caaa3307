import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { JubakoError } from '../errors/index.js'
import { discardBody } from './body.js'
import { Dispatchers } from './dispatchers.js'
import { DEADLINES, type Deadlines, type RegistryOptions } from './options.js'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export type RequestBody = string | Uint8Array | AsyncIterable<Uint8Array>

export interface Request {
  method: Method
  url: URL
  headers: Record<string, string>
  /** Goes to the first URL's origin only. */
  authorization?: string | undefined
  body?: RequestBody | undefined
  anyCertificate: boolean
  signal?: AbortSignal | undefined
}

export interface Response {
  status: number
  headers: IncomingHttpHeaders
  body: Readable
  /** After redirects. */
  url: URL
  /** False when a redirect led to another origin: its challenges are not answered. */
  sameOrigin: boolean
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const MAX_REDIRECTS = 10

/** HTTP requests: redirects by the rules, deadlines, and credentials that stay with their origin. */
export class Transport {
  readonly deadlines: Deadlines
  readonly #dispatchers: Dispatchers
  readonly #userAgent: string

  constructor(options: RegistryOptions) {
    this.deadlines = { ...DEADLINES, ...options.deadlines }
    this.#dispatchers = new Dispatchers(options, this.deadlines)
    this.#userAgent = options.userAgent ?? 'jubako'
  }

  /** Sends a request and follows redirects of GET and HEAD. The caller reads or destroys the body. */
  async send(request: Request): Promise<Response> {
    let { url } = request
    for (let hops = 0; ; hops++) {
      const sameOrigin = url.origin === request.url.origin
      const response = await this.#once(request, url, sameOrigin)
      const { location } = response.headers
      const follow = request.method === 'GET' || request.method === 'HEAD'
      if (!follow || !REDIRECTS.has(response.status) || typeof location !== 'string') return response
      discardBody(response.body)
      if (hops >= MAX_REDIRECTS) throw redirectError(url, 'too many redirects')
      url = redirectTarget(url, location, request.anyCertificate)
    }
  }

  close(): Promise<void> {
    return this.#dispatchers.close()
  }

  async #once(request: Request, url: URL, sameOrigin: boolean): Promise<Response> {
    const { request: send } = await import('undici')
    const headers: Record<string, string> = {
      'user-agent': this.#userAgent,
      // Content is named by the digest of its bytes: nothing may be recoded on the way.
      'accept-encoding': 'identity',
      ...request.headers,
    }
    if (sameOrigin && request.authorization !== undefined) headers.authorization = request.authorization
    const answer = await send(url, {
      method: request.method,
      headers,
      dispatcher: await this.#dispatchers.for(url, request.anyCertificate && sameOrigin),
      ...(request.body === undefined ? {} : { body: request.body as Readable }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    })
    return { status: answer.statusCode, headers: answer.headers, body: answer.body, url, sameOrigin }
  }
}

function redirectTarget(from: URL, location: string, insecure: boolean): URL {
  let to: URL
  try {
    to = new URL(location, from)
  } catch {
    throw redirectError(from, 'redirect to a malformed address')
  }
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw redirectError(from, `redirect to ${to.protocol}`)
  if (from.protocol === 'https:' && to.protocol === 'http:' && !insecure) {
    throw redirectError(from, 'redirect from https to plain http')
  }
  to.username = ''
  to.password = ''
  return to
}

/** Queries are left out: signed URLs are secrets. */
function redirectError(url: URL, message: string): JubakoError {
  return new JubakoError('ERR_JUBAKO_REGISTRY', `${url.origin}${url.pathname}: ${message}`)
}
