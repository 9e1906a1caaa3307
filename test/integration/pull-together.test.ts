// lanes: host
// Pulls that meet, and pulls that end too soon.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { layeredImage } from '../fixtures/images.js'
import { startRegistry } from '../fixtures/registry.js'
import { type Fault, startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { temporaryDirectory, testStore } from '../helpers/image-store.js'
import { makeImage } from '../helpers/oci-image.js'
import { startPull } from '../helpers/pull-process.js'

const BYTES = 8 * 1024 * 1024
/** One large layer that does not compress, between two small ones. */
const image = makeImage({
  layers: [
    [{ name: 'below', data: '1' }],
    [{ name: 'large', data: randomBytes(BYTES) }],
    [{ name: 'above', data: '2' }],
  ],
  gzip: false,
})
const large = image.layers[1]!

/** Sends the first half of the large layer and then nothing, the first time it is asked for. */
function halfOnce(onHalf: (response: ServerResponse) => void): Fault {
  let done = false
  return (request, response, path) => {
    if (done || !path.endsWith(large.digest) || request.headers.range !== undefined) return false
    done = true
    response.writeHead(200, { 'content-length': large.size })
    response.write(image.blobs.get(large.digest)!.subarray(0, BYTES / 2), () => onHalf(response))
    return true
  }
}

function leases(root: string): string[] {
  return readdirSync(join(root, 'leases')).filter((name) => name.endsWith('.lease'))
}

/** Waits until the part of the large layer below `ingest/` has content. */
async function partIsWritten(root: string): Promise<void> {
  const part = join(root, 'ingest', large.digest.replace(':', '-'))
  for (let waited = 0; (statSync(part, { throwIfNoEntry: false })?.size ?? 0) < BYTES / 4; waited += 20) {
    if (waited > 5000) throw new Error('the download does not begin')
    await new Promise((settle) => setTimeout(settle, 20))
  }
}

t.test('two processes pull one image', async (t) => {
  const registry = await startRegistry()
  t.teardown(() => registry.close())
  const reference = await registry.push(await layeredImage(20))
  const { root, store } = testStore(t)
  const outcomes = await Promise.all([1, 2, 3].map(() => startPull(root, reference).outcome))
  t.equal(new Set(outcomes.map(({ imageId }) => imageId)).size, 1)
  t.equal(
    outcomes.reduce((sum, { unpacked }) => sum + unpacked, 0),
    20,
    'each layer was unpacked once in all',
  )
  const resolved = store.resolve(reference)
  t.ok(resolved.chainIds.every((chainId) => store.layers.has(chainId)))
  t.same(readdirSync(join(root, 'ingest')), [])
  t.same(leases(root), [])
})

t.test('pulls of images that share layers, side by side', async (t) => {
  const registry = await startScriptedRegistry(t)
  const below = [{ name: 'below', data: '1' }]
  const images = ['a', 'b', 'c', 'd'].map((name) => makeImage({ layers: [below, [{ name, data: name }]] }))
  for (const [i, one] of images.entries()) registry.add('tool', `${i}`, one)
  const { store, unpacker } = testStore(t)
  const pulls = images.flatMap((_, i) => [`${registry.address}/tool:${i}`, `${registry.address}/tool:${i}`])
  await Promise.all(pulls.map((reference) => store.pull(reference)))
  t.equal(unpacker.count, 5, 'one shared layer and four others')
  t.equal(store.list().length, 4)
  const { digest } = images[0]!.layers[0]!
  t.equal(registry.asked.filter(({ path }) => path.endsWith(digest)).length, 1, 'the shared blob came once')
})

t.test('a process killed in a pull', async (t) => {
  const registry = await startScriptedRegistry(
    t,
    halfOnce(() => undefined),
  )
  registry.add('tool', '1', image)
  const { root, store } = testStore(t)
  const reference = `${registry.address}/tool:1`
  const pull = startPull(root, reference)
  await partIsWritten(root)
  pull.process.kill('SIGKILL')
  await once(pull.process, 'close')
  t.same(store.list(), [], 'no image')
  t.equal(leases(root).length, 1, 'its lease is still a file')
  await store.sweep()
  const { layers } = await store.collect()
  t.same(layers, [])
  t.same(leases(root), [], 'and nothing more')
  t.same(readdirSync(join(root, 'layers')), [])
  t.same(readdirSync(join(root, 'trash')), [])
  t.same(
    readdirSync(join(root, 'ingest')),
    [large.digest.replace(':', '-')],
    'only what a next pull goes on with is kept',
  )
  const { imageId } = await store.pull(reference)
  t.equal(imageId, image.imageId)
  t.match(registry.asked.find(({ range }) => range !== undefined)?.path, large.digest, 'the download went on')
  t.equal(store.resolve(reference).layers.length, 3)
  t.same(readdirSync(join(root, 'ingest')), [])
})

t.test('a pull that is stopped', async (t) => {
  const root = temporaryDirectory(t)
  const registry = await startScriptedRegistry(
    t,
    halfOnce(() => undefined),
  )
  registry.add('tool', '1', image)
  const { store } = testStore(t, { root })
  const stop = new AbortController()
  const pulling = store.pull(`${registry.address}/tool:1`, { signal: stop.signal })
  await partIsWritten(root)
  stop.abort()
  await t.rejects(pulling, { code: 'ERR_JUBAKO_ABORTED' })
  t.same(leases(root), [])
  t.same(store.list(), [])
  t.same(
    readdirSync(join(root, 'ingest')).filter((name) => name.startsWith('layer-')),
    [],
  )
  await store.pull(`${registry.address}/tool:1`)
  t.ok(
    registry.asked.some(({ range }) => range !== undefined),
    'the next one goes on',
  )
})

t.test('a part that was damaged meanwhile', async (t) => {
  const registry = await startScriptedRegistry(t)
  registry.add('tool', '1', image)
  const { root, store } = testStore(t)
  writeFileSync(join(root, 'ingest', large.digest.replace(':', '-')), Buffer.alloc(BYTES / 2, 'x'))
  t.equal((await store.pull(`${registry.address}/tool:1`)).imageId, image.imageId)
  t.same(
    registry.asked.filter(({ path }) => path.endsWith(large.digest)).map(({ range }) => range === undefined),
    [false, true],
    'went on, was wrong, and came again from the beginning',
  )
})

t.test('a registry that sends something else', async (t) => {
  const bad = randomBytes(large.size)
  const registry = await startScriptedRegistry(t, (_, response, path) => {
    if (!path.endsWith(large.digest)) return false
    response.writeHead(200, { 'content-length': bad.length }).end(bad)
    return true
  })
  registry.add('tool', '1', image)
  const { root, store } = testStore(t)
  const error = { code: 'ERR_JUBAKO_INTEGRITY', message: /tool: content does not match its digest/ }
  await t.rejects(store.pull(`${registry.address}/tool:1`), error)
  t.same(store.list(), [])
  t.same(readdirSync(join(root, 'ingest')), [], 'what is wrong is not kept')
  await store.collect()
  t.same(readdirSync(join(root, 'layers')), [])
  t.same(readdirSync(join(root, 'blobs/sha256')), [])
})
