import { spawn } from 'node:child_process'
import { JubakoError } from '../errors/index.js'

/** What a credential helper keeps for a server. A user name of `<token>` means that the secret is an identity token. */
export interface HelperEntry {
  Username: string
  Secret: string
}

const OUTPUT_LIMIT = 1024 * 1024
const TIMEOUT_MS = 60_000

/**
 * Speaks to a credential helper, a program `docker-credential-<name>`: the server's name or a JSON document goes to its
 * standard input, so no secret is ever among a program's arguments.
 */
export class CredentialHelper {
  readonly #program: string
  readonly #environment: NodeJS.ProcessEnv

  /** @throws JubakoError `ERR_JUBAKO_INVALID_ARGUMENT` for a name that is a path */
  constructor(name: string, environment: NodeJS.ProcessEnv) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
      throw new JubakoError(
        'ERR_JUBAKO_INVALID_ARGUMENT',
        `not the name of a credential helper: ${JSON.stringify(name)}`,
      )
    }
    this.#program = `docker-credential-${name}`
    this.#environment = environment
  }

  /** @returns undefined when it keeps nothing for the server */
  async get(server: string): Promise<HelperEntry | undefined> {
    const { code, output } = await this.#run('get', server)
    if (code !== 0) {
      if (/credentials not found|no credentials server URL/i.test(output)) return undefined
      throw this.#error('get', output)
    }
    let entry: Partial<HelperEntry> | null
    try {
      entry = JSON.parse(output) as Partial<HelperEntry> | null
    } catch {
      // The text may hold a secret: it is not part of the error.
      throw this.#error('get', 'its answer is no JSON')
    }
    if (typeof entry?.Username !== 'string' || typeof entry.Secret !== 'string') {
      throw this.#error('get', 'its answer has no user name and secret')
    }
    return entry.Secret === '' ? undefined : { Username: entry.Username, Secret: entry.Secret }
  }

  async store(server: string, entry: HelperEntry): Promise<void> {
    const { code, output } = await this.#run('store', JSON.stringify({ ServerURL: server, ...entry }))
    if (code !== 0) throw this.#error('store', output.replaceAll(entry.Secret, '***'))
  }

  /** Missing is no error. */
  async erase(server: string): Promise<void> {
    const { code, output } = await this.#run('erase', server)
    if (code !== 0 && !/credentials not found/i.test(output)) throw this.#error('erase', output)
  }

  #run(action: string, input: string): Promise<{ code: number | null; output: string }> {
    return new Promise((settle, fail) => {
      const child = spawn(this.#program, [action], {
        env: this.#environment,
        stdio: ['pipe', 'pipe', 'inherit'],
        timeout: TIMEOUT_MS,
        killSignal: 'SIGKILL',
      })
      let output = ''
      child.on('error', (cause: NodeJS.ErrnoException) => {
        const missing = cause.code === 'ENOENT'
        fail(
          new JubakoError('ERR_JUBAKO_SYSTEM', `cannot run ${this.#program}: ${cause.code ?? cause.message}`, {
            cause,
            hint: missing ? `install ${this.#program}, or take it out of docker's config.json` : undefined,
          }),
        )
      })
      child.stdin.on('error', () => undefined)
      child.stdin.end(input)
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (output.length > OUTPUT_LIMIT) child.kill('SIGKILL')
      })
      child.on('close', (code) => settle({ code, output: output.trim() }))
    })
  }

  #error(action: string, said: string): JubakoError {
    const text = said.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 500)
    return new JubakoError('ERR_JUBAKO_SYSTEM', `${this.#program} ${action} failed: ${text}`)
  }
}
