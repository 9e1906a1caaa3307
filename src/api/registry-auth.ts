import type { Credentials } from '../engine/types.js'
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

/**
 * The X-Registry-Auth header: an AuthConfig in base64url.
 *
 * @throws ApiError 400
 */
export function headerCredentials(header: string | undefined): { auth?: Credentials } {
  if (header === undefined || header === '') return {}
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'))
  } catch {
    throw badRequest('invalid X-Registry-Auth header')
  }
  const found = credentials(new Fields(value, 'AuthConfig'))
  return found === undefined ? {} : { auth: found }
}
