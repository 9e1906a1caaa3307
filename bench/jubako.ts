/** jubako as the benchmark uses it: an engine with a store of its own, thrown away afterwards. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NetworksApi } from '../src/engine/network-types.js'
import type { Container, EngineOptions, LoadedImage, RunOptions } from '../src/engine/types.js'
import { busyboxImage } from '../test/fixtures/images.js'
import { CHECKOUT } from '../test/helpers/checkout.js'
import { LIMITS } from './bundle.js'

export interface BenchEngine extends AsyncDisposable {
  run(image: string, command: string[], options?: RunOptions): Promise<Container>
  load(archive: string): Promise<LoadedImage[]>
  readonly networks: NetworksApi
}

interface Package {
  Engine: { open(options: EngineOptions): Promise<BenchEngine> }
}

/** Opens an engine below `work`, from the built package, as an application would. */
export async function openEngine(work: string): Promise<BenchEngine> {
  mkdirSync(work, { recursive: true })
  const { Engine } = (await import(join(CHECKOUT, 'dist/src/index.js'))) as Package
  return Engine.open({ root: join(work, 'root'), runRoot: join(work, 'run') })
}

/** Loads the benchmark's image and returns the name to run it by. */
export async function loadBusybox(engine: BenchEngine): Promise<string> {
  const [loaded] = await engine.load(await (await busyboxImage()).dockerArchive())
  const reference = loaded?.references[0] ?? loaded?.imageId
  if (reference === undefined) throw new Error('the archive has no image')
  return reference
}

/** The full container of the benchmark, the same as the oracle's and the peers'. */
export const FULL: RunOptions = { ...LIMITS, network: 'none' }

/** One start of `/bin/true`: nanoseconds until the exit status is here, and until everything is removed. */
export async function startOnce(engine: BenchEngine, image: string): Promise<{ reaped: number; removed: number }> {
  const start = process.hrtime.bigint()
  const container = await engine.run(image, ['/bin/true'], FULL)
  const { exitCode } = await container.wait()
  const reaped = Number(process.hrtime.bigint() - start)
  await container.close()
  const removed = Number(process.hrtime.bigint() - start)
  if (exitCode !== 0) throw new Error(`/bin/true ended with ${exitCode}`)
  return { reaped, removed }
}

/** Words of the command line with the benchmark's store. */
export function cli(work: string, ...words: string[]): string[] {
  const places = ['--root', join(work, 'root'), '--run-root', join(work, 'run')]
  return [join(CHECKOUT, 'bin/jubako'), ...places, ...words]
}

export function removeStore(work: string): void {
  rmSync(work, { recursive: true, force: true })
}
