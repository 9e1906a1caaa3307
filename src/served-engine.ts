import { Engine as Core } from './engine/engine.js'
import type { ApiServer, ServeAddress, ServeOptions } from './engine/serve-types.js'
import type { EngineOptions } from './engine/types.js'
import type { RegistryOptions, RegistryServer } from './hub/index.js'

/** The engine of the package: with its faces. They are loaded when they are asked for. */
export class Engine extends Core {
  readonly #servers = new Set<{ close(): Promise<void> }>()

  static override async open(options: EngineOptions = {}): Promise<Engine> {
    return (await Core.open.call(Engine, options)) as Engine
  }

  /**
   * Serves the Docker Engine API until the returned server or this engine is closed.
   *
   * @param options one address, for example `{ socket: '/run/app/docker.sock' }`, or several in `listen`
   * @throws JubakoError ERR_JUBAKO_CONFLICT when another process listens there, ERR_JUBAKO_INVALID_ARGUMENT
   */
  async serve(options: ServeAddress & Omit<ServeOptions, 'listen'>): Promise<ApiServer>
  async serve(options: ServeOptions): Promise<ApiServer>
  async serve(options: ServeOptions | (ServeAddress & Omit<ServeOptions, 'listen'>)): Promise<ApiServer> {
    const { serveApi } = await import('./api/index.js')
    const { allow } = options
    const listen = 'listen' in options ? options.listen : [options]
    const server = await serveApi(this, { listen, ...(allow !== undefined && { allow }) })
    this.#servers.add(server)
    return server
  }

  /**
   * Serves a registry of this engine's images: what is built here can be pulled by its tag, what is pushed can be run. Until the
   * returned server or this engine is closed.
   *
   * @throws JubakoError as the function of the same name
   */
  async serveRegistry(options: Omit<RegistryOptions, 'root' | 'store'> = {}): Promise<RegistryServer> {
    const { serveRegistry } = await import('./hub/index.js')
    const store = this.registryStore()
    const server = await serveRegistry({ ...options, root: store.root, store })
    this.#servers.add(server)
    return server
  }

  /**
   * Serves the Docker Engine API on a temporary socket while `use` runs. Its clients see only containers, networks and volumes that they made
   * themselves; all of them are removed at the end. Images are shared.
   *
   * @param use gets the value for `DOCKER_HOST`
   */
  async withDockerHost<T>(use: (dockerHost: string) => Promise<T> | T): Promise<T> {
    const { withDockerHost } = await import('./private-host.js')
    return withDockerHost(this, use)
  }

  override async close(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.close()))
    this.#servers.clear()
    await super.close()
  }
}
