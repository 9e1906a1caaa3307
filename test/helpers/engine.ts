import { mkdtempSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Engine, type InternalOptions } from '../../src/engine/engine.js'
import type { Container, EngineOptions, RunOptions } from '../../src/index.js'
import { busyboxImage } from '../fixtures/images.js'
import { watchLeaks } from './leaks.js'

export interface TestEngine {
  engine: Engine
  root: string
  runRoot: string
  image: string
  /** Fails the test when something of the engine's is left on the machine. */
  checkLeaks(): Promise<void>
}

/** An engine on roots of its own with the busybox image. All is removed and checked for leaks when the test ends. */
export async function testEngine(t: Test, options: InternalOptions & EngineOptions = {}): Promise<TestEngine> {
  const base = mkdtempSync(join(tmpdir(), 'jubako-test-'))
  const [root, runRoot] = [join(base, 'root'), join(base, 'run')]
  const engine = await Engine.open({ root, runRoot, ...options })
  await engine.load((await busyboxImage()).layout)
  const image = (await engine.images())[0]!.id
  // A first run makes what stays: the addon's thread, the sealed jubako-init.
  const first = await engine.run(image, ['true'], { name: 'warm-up' }).catch(() => undefined)
  await first?.wait()
  await first?.close()
  // libuv keeps its one inotify descriptor from the first watch on.
  watch(base).close()
  const leaks = watchLeaks({
    roots: [root, runRoot],
    mayAppear: /\/(blobs|layers|images|ingest|leases|bin|trash|networks)(\/|$)/,
  })
  t.teardown(async () => {
    for (const { id } of await engine.containers({ all: true })) {
      await (await engine.container(id)).remove({ force: true }).catch(() => {})
    }
    await engine.close()
    rmSync(base, { recursive: true, force: true })
  })
  return { engine, root, runRoot, image, checkLeaks: () => leaks.check() }
}

export interface RunResult {
  stdout: string
  stderr: string
  exitCode: number
  signal: string | null
  oomKilled: boolean
}

/** Everything a readable stream gives. */
export async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream ?? []) chunks.push(Buffer.from(chunk as Buffer))
  return Buffer.concat(chunks).toString()
}

/** Output and exit of a container that was started with its streams. */
export async function finish(container: Container): Promise<RunResult> {
  const [stdout, stderr, exit] = await Promise.all([
    collect(container.stdout),
    collect(container.stderr),
    container.wait(),
  ])
  await container.close()
  return { stdout, stderr, ...exit }
}

/** Runs a command in an owned container to its end. */
export async function runToEnd({ engine, image }: TestEngine, command: string[], options: RunOptions = {}) {
  return finish(await engine.run(image, command, options))
}
