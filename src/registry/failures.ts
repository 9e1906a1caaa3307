import { JubakoError } from '../errors/index.js'

/** A connection that could not be made, or broke. Worth another try. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure'
}

/** An answer with a status that is no success. */
export interface FailedAnswer {
  status: number
  /** Codes and messages of the body (distribution-spec, "Error Codes"), one line; may be empty. */
  detail: string
  retryAfterMs: number | undefined
}

const CODE_WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'name resolution failed',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EPIPE: 'connection closed by peer',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'connection timed out',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'the answer stalled',
  UND_ERR_SOCKET: 'connection closed by peer',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer was cut off',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server speaks http, not https',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the server speaks http, not https',
  EPROTO: 'TLS handshake failed',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate of an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate of an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate of an unknown authority',
  CERT_HAS_EXPIRED: 'certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate is for another host',
}

/** Errors that another try will not change. */
const FINAL = new Set([
  'ENOTFOUND',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** The innermost error code of a failed request. */
export function connectionCode(error: unknown): string {
  let code = ''
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = nextCause(at), depth++) {
    const own = (at as NodeJS.ErrnoException).code
    if (typeof own === 'string' && own !== '') code = own
  }
  return code
}

/** Happy-eyeballs failures carry one error per address. */
function nextCause(error: Error): unknown {
  return error.cause ?? (error instanceof AggregateError ? error.errors[0] : undefined)
}

export function isFinalConnectionError(error: unknown): boolean {
  return FINAL.has(connectionCode(error))
}

/** What went wrong with a connection, in a few words. */
export function connectionWords(error: unknown): string {
  const code = connectionCode(error)
  if (Object.hasOwn(CODE_WORDS, code)) return CODE_WORDS[code]!
  if (error instanceof ConnectionFailure) return error.message
  return code === '' ? (error instanceof Error ? error.message : String(error)) : code
}

/** The error for a registry that could not be reached, or whose answer broke off. */
export function networkError(registry: string, what: string, error: unknown): JubakoError {
  const words = connectionWords(error)
  const http = words.includes('speaks http')
  const certificate = words.includes('certificate')
  return new JubakoError('ERR_JUBAKO_NETWORK', `registry ${registry}: ${what}: ${words}`, {
    cause: error,
    hint: http
      ? 'name the registry as insecure to speak plain http to it'
      : certificate
        ? `put the authority's certificate into the certificates folder of ${registry}`
        : 'check the registry name, the network and the proxy settings, then try again',
  })
}

/** The error for a refused request, in Docker's words where it has some. */
export function answerError(registry: string, what: string, answer: FailedAnswer): JubakoError {
  const { status, detail } = answer
  const said = detail === '' ? `status ${status}` : `status ${status}: ${detail}`
  const message = `registry ${registry}: ${what}: ${said}`
  if (status === 401 || status === 403) {
    return new JubakoError('ERR_JUBAKO_UNAUTHORIZED', message, {
      hint: `the repository may not exist, or needs "jubako login ${registry}"`,
    })
  }
  if (status === 404) return new JubakoError('ERR_JUBAKO_NOT_FOUND', message, { hint: 'check the name and the tag' })
  if (status === 429) {
    const seconds = answer.retryAfterMs === undefined ? '' : ` in ${Math.ceil(answer.retryAfterMs / 1000)} s`
    return new JubakoError('ERR_JUBAKO_REGISTRY', message, {
      hint: `the registry limits the rate of requests: log in, or try again${seconds || ' later'}`,
    })
  }
  return new JubakoError('ERR_JUBAKO_REGISTRY', message, {
    hint: status >= 500 ? 'the registry has a problem: try again later' : undefined,
  })
}
