import { main } from './main.js'

/** Runs the command line and ends the process. Everything was written: nothing that is still open holds the exit up. */
export async function start(argv: readonly string[]): Promise<never> {
  process.exit(await main(argv))
}

export { main }

/** Evaluates what most commands need, so that the build can put it into the code cache. */
export async function warm(): Promise<void> {
  await import('../engine/engine.js')
}
