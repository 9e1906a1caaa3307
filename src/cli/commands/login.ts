import type { Command, CommandContext } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import type { ParsedArgs } from '../flags/parse.js'
import { promptLine, promptSecret, readSecret } from '../io/prompt.js'
import { dockerConfig, registrySettings } from '../registry-settings.js'
import { registryName } from '../values/registry.js'

type Login = { username: string; password: string }

const failure = (message: string) => new CodedError(message, EXIT.failure)

export const command: Command = {
  spec: {
    name: 'login',
    aliases: ['login'],
    usage: '[OPTIONS] [SERVER]',
    summary: 'Authenticate to a registry',
    args: [0, 1],
    flags: [
      ['p', 'password', 'string', 'Password or token'],
      ['', 'password-stdin', 'bool', 'Take the password or token from standard input'],
      ['u', 'username', 'string', 'User name'],
    ],
  },
  async run(flags, context) {
    const registry = registryName(flags.args[0])
    const config = dockerConfig()
    const { RegistryClient } = await import('../../registry/index.js')
    const client = new RegistryClient(registrySettings())
    try {
      const kept = flags.has('username') || flags.has('password') ? undefined : await config.credentials(registry)
      if (kept !== undefined) {
        context.err.line('Authenticating with existing credentials...')
        if (await works(client.login(registry, kept), context)) {
          context.out.line('Login Succeeded')
          return EXIT.ok
        }
      }
      const login = await askFor(flags, await config.username(registry), context)
      const { identityToken } = await client.login(registry, login)
      const { helper, path } = await config.store(registry, login, identityToken)
      if (helper === undefined) {
        context.err.text(
          `\nWARNING! Your credentials are stored unencrypted in '${path}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n`,
        )
      }
      context.out.line('Login Succeeded')
      return EXIT.ok
    } finally {
      await client.close()
    }
  },
}

async function works(login: Promise<{ identityToken: string | undefined }>, context: CommandContext): Promise<boolean> {
  try {
    await login
    return true
  } catch (error) {
    context.err.line(`Login did not succeed, error: ${(error as Error).message}`)
    return false
  }
}

async function askFor(flags: ParsedArgs, known: string | undefined, context: CommandContext): Promise<Login> {
  const [given, fromInput] = [flags.string('password'), flags.bool('password-stdin')]
  if (given !== undefined) {
    if (fromInput) throw failure('conflicting options: cannot specify both --password and --password-stdin')
    context.err.line('WARNING! Using --password via the CLI is insecure. Use --password-stdin.')
  }
  let username = flags.string('username') ?? ''
  if (fromInput) {
    if (username === '') throw failure('the --password-stdin option requires --username to be set')
    return { username, password: await readSecret() }
  }
  if ((username === '' || given === undefined) && !process.stdin.isTTY) {
    throw failure('Error: Cannot perform an interactive login from a non TTY device')
  }
  if (username === '') {
    username = await promptLine(known === undefined ? 'Username: ' : `Username (${known}): `, context.err)
    if (username === '') username = known ?? ''
    if (username === '') throw failure('Error: Non-null Username Required')
  }
  const password = given ?? (await promptSecret('Password: ', context.err))
  if (password === undefined || password === '') throw failure('Error: Password Required')
  return { username, password }
}
