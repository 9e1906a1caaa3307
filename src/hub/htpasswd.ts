import { randomBytes } from 'node:crypto'
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { invalidArgument } from '../errors/index.js'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/
const HASH = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/
/** Rounds of bcrypt: 2 to the power of it. */
const COST = 10
/** What follows is not looked at by bcrypt. */
const PASSWORD_BYTES = 72

/** Accounts by name, with their bcrypt hashes. */
export type Accounts = ReadonlyMap<string, string>

/** @throws JubakoError `ERR_JUBAKO_INVALID_ARGUMENT` that names the line */
export function parseHtpasswd(text: string, path: string): Map<string, string> {
  const accounts = new Map<string, string>()
  text.split('\n').forEach((line, at) => {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) return
    const colon = trimmed.indexOf(':')
    const [name, hash] = [trimmed.slice(0, colon), trimmed.slice(colon + 1)]
    if (colon < 1 || !HASH.test(hash)) {
      throw invalidArgument(`${path}: line ${at + 1} is not name:bcrypt-hash`, {
        path,
        hint: 'make it with "jubako registry user add", or htpasswd -B',
      })
    }
    accounts.set(name, hash)
  })
  return accounts
}

async function read(path: string): Promise<Map<string, string>> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return parseHtpasswd(text, path)
}

async function write(path: string, accounts: Accounts): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(temporary, [...accounts].map(([name, hash]) => `${name}:${hash}\n`).join(''), { mode: 0o600 })
    await chmod(temporary, 0o600)
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Names in the file, in its order. */
export async function listUsers(path: string): Promise<string[]> {
  return [...(await read(path)).keys()]
}

/**
 * Adds an account, or gives it another password. A registry that serves sees it at once.
 *
 * @throws JubakoError `ERR_JUBAKO_INVALID_ARGUMENT` for a name or password that cannot be
 */
export async function addUser(path: string, name: string, password: string): Promise<void> {
  if (!NAME.test(name)) throw invalidArgument(`invalid account name ${JSON.stringify(name)}`)
  const bytes = Buffer.byteLength(password)
  if (bytes === 0 || bytes > PASSWORD_BYTES) throw invalidArgument(`a password has 1 to ${PASSWORD_BYTES} bytes`)
  const { hash } = await import('bcryptjs')
  const accounts = await read(path)
  accounts.set(name, await hash(password, COST))
  await write(path, accounts)
}

/** @returns false when there was no such account */
export async function removeUser(path: string, name: string): Promise<boolean> {
  const accounts = await read(path)
  if (!accounts.delete(name)) return false
  await write(path, accounts)
  return true
}
