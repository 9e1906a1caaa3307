import { RegistryClient } from '../../registry/index.js'
import type { Call } from '../call.js'
import { ApiError, badRequest, messageOf } from '../errors.js'
import { credentials, registryOf } from '../registry-auth.js'

export async function systemAuth(call: Call): Promise<void> {
  const body = await call.json('AuthConfig', { required: true })
  const given = credentials(body)
  if (given === undefined) throw badRequest('no user name was given')
  const client = new RegistryClient({})
  try {
    const { identityToken } = await client.login(registryOf(body.string('serveraddress') ?? ''), given, {
      signal: call.signal,
    })
    await call.reply.json(200, { IdentityToken: identityToken ?? '', Status: 'Login Succeeded' })
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_JUBAKO_UNAUTHORIZED') throw new ApiError(401, messageOf(error))
    throw error
  } finally {
    await client.close()
  }
}
