import { main as commandLine } from './cli/main.js'

/** The command line with the other faces of the engine that it starts. */
export function main(argv: readonly string[]): Promise<number> {
  return commandLine(argv, {
    serve: async (engine, options) => (await import('./api/index.js')).serveApi(engine, options),
    serveRegistry: async (engine, { root, ...options }) => {
      const { serveRegistry } = await import('./hub/index.js')
      if (root !== undefined) return serveRegistry({ root, ...options })
      const store = (await engine()).registryStore()
      return serveRegistry({ root: store.root, store, ...options })
    },
    registryUsers: () => import('./hub/index.js'),
    withDockerHost: async (engine, use) => (await import('./private-host.js')).withDockerHost(engine, use),
  })
}

/** Runs the command line and ends the process. Everything was written: nothing that is still open holds the exit up. */
export async function start(argv: readonly string[]): Promise<never> {
  process.exit(await main(argv))
}

/** Evaluates what most commands need, so that the build can put it into the code cache. */
export async function warm(): Promise<void> {
  await import('./engine/engine.js')
}
