import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { promptSecret, readSecret } from '../io/prompt.js'
import { defaultHtpasswd, HTPASSWD_HELP } from '../registry-files.js'

const failure = (message: string) => new CodedError(message, EXIT.failure)

export const command: Command = {
  spec: {
    name: 'registry user add',
    aliases: ['registry user add'],
    usage: '[OPTIONS] NAME',
    summary: 'Add an account of a registry, or change its password',
    args: [1, 1],
    flags: [
      ['', 'htpasswd', 'string', HTPASSWD_HELP],
      ['', 'password-stdin', 'bool', 'Take the password from standard input'],
    ],
    examples: [
      'jubako registry user add alice',
      'jubako registry user add --password-stdin --htpasswd /srv/registry/htpasswd ci < secret',
    ],
  },
  async run(flags, context) {
    const [name] = flags.args as [string]
    const path = flags.string('htpasswd') ?? defaultHtpasswd(context)
    let password: string | undefined
    if (flags.bool('password-stdin')) password = await readSecret()
    else {
      if (!process.stdin.isTTY) throw failure('a password is asked for on a terminal: use --password-stdin')
      password = await promptSecret('Password: ', context.err)
      if (password !== undefined && (await promptSecret('Again: ', context.err)) !== password) {
        throw failure('the passwords are not the same')
      }
    }
    if (password === undefined || password === '') throw failure('a password is needed')
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    await (await context.faces.registryUsers()).addUser(path, name, password)
    context.out.line(name)
    return EXIT.ok
  },
}
