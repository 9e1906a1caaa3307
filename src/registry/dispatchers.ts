import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import type { Dispatcher } from 'undici'
import { isLoopback } from './endpoint.js'
import type { Deadlines, RegistryOptions } from './options.js'

interface TlsFiles {
  ca?: string[]
  cert?: string
  key?: string
}

/** Connection pools, one per way to check certificates. undici is loaded with the first. */
export class Dispatchers {
  readonly #options: RegistryOptions
  readonly #deadlines: Deadlines
  readonly #pools = new Map<string, Promise<Dispatcher>>()

  constructor(options: RegistryOptions, deadlines: Deadlines) {
    this.#options = options
    this.#deadlines = deadlines
  }

  /** The pool for a URL. Certificates are chosen by its host, so a redirect never gets another host's client key. */
  for(url: URL, anyCertificate: boolean): Promise<Dispatcher> {
    const key = `${url.host} ${anyCertificate}`
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      pool = this.#create(url.host, anyCertificate)
      this.#pools.set(key, pool)
    }
    return pool
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()]
    this.#pools.clear()
    await Promise.allSettled(pools.map(async (pool) => (await pool).destroy()))
  }

  async #create(host: string, anyCertificate: boolean): Promise<Dispatcher> {
    const { Agent, EnvHttpProxyAgent } = await import('undici')
    const tls = { rejectUnauthorized: !anyCertificate, ...this.#certificates(host) }
    const common = {
      connect: { timeout: this.#deadlines.connectMs, ...tls },
      headersTimeout: this.#deadlines.headersMs,
      // Bodies have a deadline by rate; see readWithDeadline.
      bodyTimeout: 0,
      pipelining: 1,
    }
    const { proxy } = this.#options
    if (proxy === undefined || isLoopback(host)) return new Agent(common)
    return new EnvHttpProxyAgent({
      ...common,
      requestTls: tls,
      httpProxy: proxy.http ?? '',
      httpsProxy: proxy.https ?? '',
      noProxy: proxy.noProxy ?? '',
    })
  }

  #certificates(host: string): TlsFiles {
    const files: TlsFiles = {}
    const further = (this.#options.authorities ?? []).flatMap(readIfThere)
    if (further.length > 0) files.ca = further
    for (const certificates of [this.#options.certificates ?? []].flat()) {
      const folder = join(certificates, host)
      for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
        const read = () => readFileSync(join(folder, name), 'utf8')
        if (name.endsWith('.crt')) files.ca = [...(files.ca ?? []), read()]
        else if (name.endsWith('.cert')) files.cert = read()
        else if (name.endsWith('.key')) files.key = read()
      }
    }
    // Authorities of one's own are known besides the system's, as in Docker.
    return files.ca === undefined ? files : { ...files, ca: [...rootCertificates, ...files.ca] }
  }
}

function readIfThere(path: string): string[] {
  try {
    return [readFileSync(path, 'utf8')]
  } catch {
    return []
  }
}
