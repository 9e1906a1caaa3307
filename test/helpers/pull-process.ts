/** A process of its own that pulls an image: `node pull-process.js <root> <reference>`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ImageStore } from '../../src/images/index.js'
import { CountingUnpacker } from './counting-unpacker.js'

/** What it prints. */
export interface PullOutcome {
  imageId: string
  /** Layers that this process unpacked. */
  unpacked: number
}

const SELF = fileURLToPath(import.meta.url)

export interface PullProcess {
  process: ChildProcess
  /** Rejects when it fails or is killed. */
  outcome: Promise<PullOutcome>
}

export function startPull(root: string, reference: string): PullProcess {
  const process_ = spawn(process.execPath, [SELF, root, reference], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, errors] = ['', '']
  process_.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  process_.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  const outcome = new Promise<PullOutcome>((settle, fail) => {
    process_.on('close', (code, signal) => {
      if (code === 0) settle(JSON.parse(out))
      else fail(new Error(`pull ended with ${code ?? signal}: ${errors}`))
    })
  })
  outcome.catch(() => undefined)
  return { process: process_, outcome }
}

if (process.argv[1] === SELF) {
  const [root, reference] = process.argv.slice(2) as [string, string]
  const unpacker = new CountingUnpacker()
  const store = ImageStore.open({ root, unpacker })
  const { imageId } = await store.pull(reference)
  await store.close()
  console.log(JSON.stringify({ imageId, unpacked: unpacker.count } satisfies PullOutcome))
}
