import type { IncomingMessage } from 'node:http'
import type { AccountCheck } from './accounts.js'
import { HubError } from './errors.js'
import type { Origin } from './origin.js'
import type { Action, Rules } from './policy.js'
import { type Grant, TOKEN_LIFE, type Token, Tokens } from './tokens.js'

const SERVICE = 'jubako-registry'
const SCOPE = /^repository(?:\([^)]*\))?:([^:]+(?::\d+[^:]*)?):([a-z,*]*)$/
const MAX_SCOPES = 32

/** Who asks, and what that lets them do. */
export interface Access {
  /** undefined: nobody logged in. */
  account: string | undefined
  may(repository: string, action: Action): boolean
  /** The answer to what they may not. */
  refusal(repository: string, actions: readonly Action[]): HubError
}

/** Logs in by password or by a token that it issued. */
export class Auth {
  readonly #tokens = new Tokens(SERVICE)

  constructor(
    private readonly rules: () => Rules,
    /** undefined: there are no accounts. */
    private readonly accounts: AccountCheck | undefined,
    private readonly origin: (request: IncomingMessage) => Origin,
  ) {}

  get hasAccounts(): boolean {
    return this.accounts !== undefined
  }

  /** @throws HubError for a login that is wrong */
  async access(request: IncomingMessage): Promise<Access> {
    const { accounts } = this
    const rules = this.rules()
    const header = request.headers.authorization ?? ''
    const bearer = /^Bearer +(\S+)$/i.exec(header)?.[1]
    if (bearer !== undefined && accounts !== undefined) {
      const token = this.#tokens.read(bearer)
      if (token === undefined || (token.account !== '' && !accounts.exists(token.account))) {
        throw new HubError(
          'UNAUTHORIZED',
          'the token is not valid',
          undefined,
          this.#challenge(request, 'invalid_token'),
        )
      }
      return this.#byToken(request, token)
    }
    const login = basic(header)
    if (login !== undefined && accounts !== undefined) {
      await accounts.check(login.name, login.password, this.origin(request).address).catch((error: unknown) => {
        if (!(error instanceof HubError) || error.status !== 401) throw error
        throw new HubError('UNAUTHORIZED', error.message, undefined, this.#challenge(request))
      })
      return {
        account: login.name,
        may: (repository, action) => rules.allows(login.name, repository, action),
        refusal: () => denied(),
      }
    }
    return {
      account: undefined,
      may: (repository, action) => rules.allows(undefined, repository, action),
      refusal: (repository, actions) =>
        accounts === undefined
          ? denied()
          : new HubError(
              'UNAUTHORIZED',
              'authentication required',
              undefined,
              this.#challenge(request, undefined, [scopeOf(repository, actions)]),
            ),
    }
  }

  /** The answer to a client that asks how to log in. */
  login(request: IncomingMessage): HubError {
    return new HubError('UNAUTHORIZED', 'authentication required', undefined, this.#challenge(request))
  }

  #byToken(request: IncomingMessage, token: Token): Access {
    const granted = ({ access }: Token, repository: string, action: Action) =>
      access.some(({ name, actions }) => name === repository && actions.includes(action))
    return {
      account: token.account === '' ? undefined : token.account,
      may: (repository, action) => granted(token, repository, action),
      refusal: (repository, actions) =>
        new HubError(
          token.account === '' ? 'UNAUTHORIZED' : 'DENIED',
          'requested access to the resource is denied',
          401,
          this.#challenge(request, 'insufficient_scope', [scopeOf(repository, actions)]),
        ),
    }
  }

  /** Whether this account may read a repository, whatever its token says: for lists. */
  sees(account: string | undefined, repository: string): boolean {
    return this.rules().allows(account, repository, 'pull')
  }

  /** Answers a request for a token (`GET`, or `POST` with a form): what of the wished scopes the account may have. */
  async token(request: IncomingMessage, form: URLSearchParams): Promise<object> {
    const { accounts } = this
    let login = basic(request.headers.authorization ?? '')
    if (request.method === 'POST') {
      if (form.get('grant_type') !== 'password') {
        throw new HubError('UNSUPPORTED', 'only grant_type password is supported', 400)
      }
      login = { name: form.get('username') ?? '', password: form.get('password') ?? '' }
    }
    if (login !== undefined && accounts !== undefined) {
      await accounts.check(login.name, login.password, this.origin(request).address)
    }
    const account = accounts === undefined ? undefined : login?.name
    const wished = form.getAll('scope').flatMap((text) => text.split(' '))
    const access = wished.slice(0, MAX_SCOPES).flatMap((text) => this.#grant(account, text))
    const token = this.#tokens.issue({ account: account ?? '', access })
    return { token, access_token: token, expires_in: TOKEN_LIFE, issued_at: new Date().toISOString() }
  }

  #grant(account: string | undefined, scope: string): Grant[] {
    const [, name, words] = SCOPE.exec(scope) ?? []
    if (name === undefined || words === undefined) return []
    const asked = words.split(',').flatMap((word) => (word === '*' ? ['pull', 'push', 'delete'] : [word]))
    const rules = this.rules()
    const actions = (['pull', 'push', 'delete'] as const).filter(
      (action) => asked.includes(action) && rules.allows(account, name, action),
    )
    // Clients that delete ask for it in their own ways, or not at all: who pushes gets it if the rules say so.
    if (asked.includes('push') && !actions.includes('delete') && rules.allows(account, name, 'delete')) {
      actions.push('delete')
    }
    return actions.length === 0 ? [] : [{ type: 'repository', name, actions }]
  }

  #challenge(request: IncomingMessage, error?: string, scopes: readonly string[] = []): Record<string, string> {
    const parts = [`realm="${this.origin(request).url}/token"`, `service="${SERVICE}"`]
    if (scopes.length > 0) parts.push(`scope="${scopes.join(' ')}"`)
    if (error !== undefined) parts.push(`error="${error}"`)
    return { 'WWW-Authenticate': `Bearer ${parts.join(',')}` }
  }
}

const scopeOf = (repository: string, actions: readonly Action[]): string =>
  `repository:${repository}:${actions.join(',')}`

const denied = () => new HubError('DENIED', 'requested access to the resource is denied')

function basic(header: string): { name: string; password: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header)?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
