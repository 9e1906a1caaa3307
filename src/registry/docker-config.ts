import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { JubakoError } from '../errors/index.js'
import { CredentialHelper } from './credential-helper.js'
import type { Credentials } from './options.js'

/** Under this name docker keeps the credentials of docker.io. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'
const HUB_NAMES = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io'])
const TOKEN_USER = '<token>'

interface AuthEntry {
  auth?: string
  username?: string
  password?: string
  identitytoken?: string
  registrytoken?: string
}

interface ConfigFile {
  auths?: Record<string, AuthEntry | null>
  credsStore?: string
  credHelpers?: Record<string, string>
  [member: string]: unknown
}

export interface DockerConfigOptions {
  /** Path of `config.json`. It need not exist. */
  path: string
  /** For credential helpers. Default: empty. */
  environment?: NodeJS.ProcessEnv
  /** A further `config.json`, as text, whose `auths` are looked at first. */
  inline?: string | undefined
}

/** Where a login was put. */
export interface StoredLogin {
  /** A helper's name, or undefined: in the file itself, unencrypted. */
  helper: string | undefined
  path: string
}

/** Credentials as docker keeps them: in `config.json` itself, or in the credential helper that it names. */
export class DockerConfig {
  readonly path: string
  readonly #environment: NodeJS.ProcessEnv
  readonly #inline: string | undefined

  constructor(options: DockerConfigOptions) {
    this.path = options.path
    this.#environment = options.environment ?? {}
    this.#inline = options.inline
  }

  /**
   * The credentials for a registry, read anew at every call.
   *
   * @param registry host with port as in a reference
   * @throws JubakoError `ERR_JUBAKO_INVALID_ARGUMENT` for a damaged file, `ERR_JUBAKO_SYSTEM` when a helper fails
   */
  async credentials(registry: string): Promise<Credentials | undefined> {
    if (this.#inline !== undefined) {
      const found = fromAuths(parseConfig(this.#inline, 'the configuration given as text'), registry)
      if (found !== undefined) return found
    }
    const config = this.#read()
    const helper = this.#helper(config, registry)
    if (helper === undefined) return fromAuths(config, registry)
    const entry = await helper.program.get(keyOf(registry))
    return entry === undefined ? undefined : fromHelper(entry.Username, entry.Secret)
  }

  /** The user name kept for a registry. */
  async username(registry: string): Promise<string | undefined> {
    const config = this.#read()
    const helper = this.#helper(config, registry)
    if (helper !== undefined) {
      const name = (await helper.program.get(keyOf(registry)))?.Username
      return name === TOKEN_USER ? undefined : name
    }
    return userOf(entryOf(config, registry))
  }

  /** @param identityToken kept in the password's place when the registry gave one */
  async store(
    registry: string,
    login: { username: string; password: string },
    identityToken?: string,
  ): Promise<StoredLogin> {
    const config = this.#read()
    const helper = this.#helper(config, registry)
    const key = keyOf(registry)
    if (helper !== undefined) {
      await helper.program.store(
        key,
        identityToken === undefined
          ? { Username: login.username, Secret: login.password }
          : { Username: TOKEN_USER, Secret: identityToken },
      )
      return { helper: helper.name, path: this.path }
    }
    const secret = identityToken === undefined ? login.password : ''
    const entry: AuthEntry = { auth: Buffer.from(`${login.username}:${secret}`).toString('base64') }
    if (identityToken !== undefined) entry.identitytoken = identityToken
    this.#write({ ...config, auths: { ...config.auths, [key]: entry } })
    return { helper: undefined, path: this.path }
  }

  /** Missing is no error. */
  async erase(registry: string): Promise<void> {
    const config = this.#read()
    await this.#helper(config, registry)?.program.erase(keyOf(registry))
    const auths = { ...config.auths }
    const going = Object.keys(auths).filter((key) => sameRegistry(key, registry))
    if (going.length === 0) return
    for (const key of going) delete auths[key]
    this.#write({ ...config, auths })
  }

  #helper(config: ConfigFile, registry: string): { name: string; program: CredentialHelper } | undefined {
    const own = Object.entries(config.credHelpers ?? {}).find(([key]) => sameRegistry(key, registry))?.[1]
    const name = own ?? config.credsStore
    if (typeof name !== 'string' || name === '') return undefined
    return { name, program: new CredentialHelper(name, this.#environment) }
  }

  #read(): ConfigFile {
    let text: string
    try {
      text = readFileSync(this.path, 'utf8')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return {}
      throw error
    }
    return parseConfig(text, this.path)
  }

  /** Others may read it meanwhile; a link stays one. */
  #write(config: ConfigFile): void {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 })
    const target = resolved(this.path)
    const temporary = join(dirname(target), `.config.json-${randomBytes(6).toString('hex')}`)
    try {
      writeFileSync(temporary, JSON.stringify(config, undefined, '\t'), { mode: 0o600, flag: 'wx', flush: true })
      renameSync(temporary, target)
    } finally {
      rmSync(temporary, { force: true })
    }
  }
}

function resolved(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function parseConfig(text: string, what: string): ConfigFile {
  try {
    const value: unknown = text.trim() === '' ? {} : JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as ConfigFile
  } catch {
    // The parser's message quotes the text, which holds secrets.
  }
  throw new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', `${what} is not a JSON object`, { path: what })
}

/** The name under which docker keeps a registry's credentials. */
export function keyOf(registry: string): string {
  return HUB_NAMES.has(registry) ? DOCKER_HUB_KEY : registry
}

/** Keys may be whole URLs. */
function sameRegistry(key: string, registry: string): boolean {
  const host = key.replace(/^https?:\/\//, '').split('/', 1)[0]!
  return host === registry || (HUB_NAMES.has(host) && HUB_NAMES.has(registry))
}

function entryOf(config: ConfigFile, registry: string): AuthEntry | undefined {
  const auths = config.auths ?? {}
  const exact = auths[keyOf(registry)]
  return exact ?? Object.entries(auths).find(([key]) => sameRegistry(key, registry))?.[1] ?? undefined
}

function fromAuths(config: ConfigFile, registry: string): Credentials | undefined {
  const entry = entryOf(config, registry)
  if (entry === undefined) return undefined
  if (entry.identitytoken) return { identityToken: entry.identitytoken }
  if (entry.registrytoken) return { registryToken: entry.registrytoken }
  const [username, password] = userAndPassword(entry)
  return username === '' ? undefined : { username, password }
}

function userAndPassword(entry: AuthEntry): [username: string, password: string] {
  if (!entry.auth) return [entry.username ?? '', entry.password ?? '']
  const text = Buffer.from(entry.auth, 'base64').toString()
  const colon = text.indexOf(':')
  return colon < 0 ? ['', ''] : [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')]
}

function userOf(entry: AuthEntry | undefined): string | undefined {
  return entry === undefined ? undefined : userAndPassword(entry)[0] || undefined
}

function fromHelper(username: string, secret: string): Credentials {
  return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret }
}
