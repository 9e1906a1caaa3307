import { JubakoError } from '../errors/index.js'
import { readAll, readErrorDetail } from './body.js'
import { type Challenge, parseChallenges } from './challenge.js'
import { answerError } from './failures.js'
import type { CredentialProvider, Credentials } from './options.js'
import type { Response, Transport } from './transport.js'

const TOKEN_LIMIT = 256 * 1024
/** The token specification's least life, for servers that do not say. */
const TOKEN_LIFE_MS = 60_000
const CLIENT_ID = 'jubako'
/** A token about to end is not used. */
const MARGIN_MS = 10_000

interface Token {
  header: string
  expiresAt: number
}

/** What is known of how one registry at one address wants to be asked: basic, or a bearer token per scope. */
export class Authorization {
  readonly #registry: string
  readonly #transport: Transport
  readonly #provider: CredentialProvider | undefined
  readonly #anyCertificate: boolean
  readonly #offline: boolean
  readonly #tokens = new Map<string, Token>()
  #basic: string | undefined
  /** Set by a server that gives one when it is asked for a lasting login. */
  identityToken: string | undefined

  /**
   * @param anyCertificate whether the registry's own host may show any certificate
   * @param offline ask for an identity token too, as a login does
   */
  constructor(
    registry: string,
    transport: Transport,
    provider: CredentialProvider | undefined,
    anyCertificate: boolean,
    offline: boolean,
  ) {
    this.#anyCertificate = anyCertificate
    this.#offline = offline
    this.#registry = registry
    this.#transport = transport
    this.#provider = provider
  }

  /** The header to send, as far as one is known. */
  header(scope: string): string | undefined {
    const token = this.#tokens.get(scope)
    if (token !== undefined && token.expiresAt - MARGIN_MS > Date.now()) return token.header
    return this.#basic
  }

  /**
   * Answers a 401 of the registry itself.
   *
   * @returns the header for the next try, or undefined when there is nothing (more) to offer
   */
  async answer(response: Response, scope: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    const challenges = parseChallenges(response.headers['www-authenticate'])
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer')
    const credentials = await this.#provider?.(this.#registry)
    if (bearer !== undefined) return this.#bearer(bearer, scope, credentials, response, signal)
    if (!challenges.some((challenge) => challenge.scheme === 'basic') || !hasPassword(credentials)) return undefined
    const header = basicHeader(credentials)
    if (header === this.#basic) return undefined
    this.#basic = header
    return header
  }

  async #bearer(
    challenge: Challenge,
    scope: string,
    credentials: Credentials | undefined,
    response: Response,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    if (credentials !== undefined && 'registryToken' in credentials) return `Bearer ${credentials.registryToken}`
    const realm = this.#realm(challenge, response.url, credentials !== undefined)
    const { service } = challenge.parameters
    const scopes = scope.split(' ').filter((part) => part !== '')
    const common = { anyCertificate: this.#anyCertificate && realm.hostname === response.url.hostname, signal }
    const answer =
      credentials !== undefined && 'identityToken' in credentials
        ? await this.#transport.send({ ...tokenForm(realm, service, scopes, credentials.identityToken), ...common })
        : await this.#transport.send({ ...tokenQuery(realm, service, scopes, credentials, this.#offline), ...common })
    const token = await this.#readToken(answer)
    this.#tokens.set(scope, token)
    return token.header
  }

  /** The token server is named by the registry. Secrets go there by https, or to the registry's own host. */
  #realm(challenge: Challenge, registry: URL, secret: boolean): URL {
    let realm: URL
    try {
      realm = new URL(challenge.parameters.realm ?? '', registry)
    } catch {
      throw this.#error('names a malformed token server')
    }
    if (realm.protocol !== 'https:' && realm.protocol !== 'http:') throw this.#error('names a malformed token server')
    if (secret && realm.protocol !== 'https:' && realm.hostname !== registry.hostname) {
      throw this.#error(`names a token server without https (${realm.origin}): credentials are not sent there`)
    }
    realm.username = ''
    realm.password = ''
    return realm
  }

  async #readToken(answer: Response): Promise<Token> {
    const { deadlines } = this.#transport
    if (answer.status !== 200) {
      const detail = await readErrorDetail(answer.body, deadlines)
      throw answerError(this.#registry, 'token server', { status: answer.status, detail, retryAfterMs: undefined })
    }
    const bytes = await readAll(answer.body, TOKEN_LIMIT, deadlines, 'the token')
    let document: { token?: unknown; access_token?: unknown; refresh_token?: unknown; expires_in?: unknown }
    try {
      document = JSON.parse(bytes.toString())
    } catch (cause) {
      throw this.#error('token server answers no JSON', cause)
    }
    const token = document?.token ?? document?.access_token
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw this.#error('token server answers no token')
    if (typeof document.refresh_token === 'string' && document.refresh_token !== '') {
      this.identityToken = document.refresh_token
    }
    const seconds = typeof document.expires_in === 'number' ? document.expires_in : 0
    return { header: `Bearer ${token}`, expiresAt: Date.now() + Math.max(seconds * 1000, TOKEN_LIFE_MS) }
  }

  #error(message: string, cause?: unknown): JubakoError {
    return new JubakoError('ERR_JUBAKO_REGISTRY', `registry ${this.#registry}: ${message}`, { cause })
  }
}

function hasPassword(credentials: Credentials | undefined): credentials is { username: string; password: string } {
  return credentials !== undefined && 'username' in credentials
}

function basicHeader(credentials: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
}

function tokenQuery(
  realm: URL,
  service: string | undefined,
  scopes: string[],
  credentials: Credentials | undefined,
  offline: boolean,
) {
  const url = new URL(realm)
  if (hasPassword(credentials)) url.searchParams.set('account', credentials.username)
  if (offline) {
    url.searchParams.set('client_id', CLIENT_ID)
    url.searchParams.set('offline_token', 'true')
  }
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  const authorization = hasPassword(credentials) ? basicHeader(credentials) : undefined
  return { method: 'GET' as const, url, headers: {}, authorization }
}

function tokenForm(url: URL, service: string | undefined, scopes: string[], identityToken: string) {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    service: service ?? '',
    client_id: CLIENT_ID,
    scope: scopes.join(' '),
    refresh_token: identityToken,
  })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST' as const, url, headers, body: form.toString() }
}
