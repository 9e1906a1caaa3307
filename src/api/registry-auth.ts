import type { Credentials } from '../engine/types.js'
import type { CredentialProvider } from '../registry/index.js'
import { badRequest } from './errors.js'
import { Fields } from './fields.js'

/** An AuthConfig object as credentials; undefined for an empty one. */
export function credentials(fields: Fields): Credentials | undefined {
  const [identityToken, registryToken] = [fields.string('identitytoken'), fields.string('registrytoken')]
  if (registryToken) return { registryToken }
  if (identityToken) return { identityToken }
  let [username, password] = [fields.string('username') ?? '', fields.string('password') ?? '']
  const auth = fields.string('auth')
  if (username === '' && auth) {
    const text = Buffer.from(auth, 'base64').toString('utf8')
    const at = text.indexOf(':')
    if (at > 0) [username, password] = [text.slice(0, at), text.slice(at + 1)]
  }
  return username === '' ? undefined : { username, password }
}

function decode(header: string, name: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, 'base64url').toString('utf8'))
  } catch {
    throw badRequest(`invalid ${name} header`)
  }
}

/** The host of a server's address; Docker Hub's old names are one. */
export function registryOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/, '')
  return host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host
}

/**
 * The X-Registry-Config header of a build: a map from registries to AuthConfig objects, in base64url.
 *
 * @throws ApiError 400
 */
export function configCredentials(header: string | undefined): { auth?: CredentialProvider } {
  if (header === undefined || header === '') return {}
  const given = new Fields({ all: decode(header, 'X-Registry-Config') }, 'X-Registry-Config').entries('all')
  const known = new Map(given.map(([address, fields]) => [registryOf(address), credentials(fields)]))
  return known.size === 0 ? {} : { auth: (registry) => known.get(registry) }
}

/**
 * The X-Registry-Auth header: an AuthConfig in base64url.
 *
 * @throws ApiError 400
 */
export function headerCredentials(header: string | undefined): { auth?: Credentials } {
  if (header === undefined || header === '') return {}
  const found = credentials(new Fields(decode(header, 'X-Registry-Auth'), 'AuthConfig'))
  return found === undefined ? {} : { auth: found }
}
