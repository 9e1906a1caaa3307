// lanes: host
// One store and several processes: what one needs, no other collects; and what a list says is what is there.
import { randomBytes } from 'node:crypto'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { Engine } from '../../src/engine/engine.js'
import { startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { cli } from '../helpers/cli.js'
import { testEngine } from '../helpers/engine.js'
import { testStore } from '../helpers/image-store.js'
import { makeImage, sha256 } from '../helpers/oci-image.js'
import { startPull } from '../helpers/pull-process.js'

const image = makeImage({
  layers: [[{ name: 'below', data: '1' }], [{ name: 'large', data: randomBytes(1024 * 1024) }]],
  gzip: false,
})
const large = image.layers[1]!

t.test('a collection while another process pulls', async (t) => {
  let held: ServerResponse | undefined
  const registry = await startScriptedRegistry(t, (_, response, path) => {
    if (!path.endsWith(large.digest)) return false
    const bytes = image.blobs.get(large.digest)!
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, 1000))
    held = response
    return true
  })
  registry.add('tool', '1', image)
  const { root, store } = testStore(t)
  const pull = startPull(root, `${registry.address}/tool:1`)
  const below = join(root, 'blobs/sha256', image.layers[0]!.digest.slice(7))
  for (let waited = 0; held === undefined || statSync(below, { throwIfNoEntry: false }) === undefined; waited += 20) {
    if (waited > 30_000) throw new Error('the pull does not begin')
    await new Promise((settle) => setTimeout(settle, 20))
  }
  for (let i = 0; i < 3; i++) {
    await store.sweep()
    t.strictSame((await store.collect()).blobs, [], 'what is being pulled stays')
    t.strictSame((await store.prune({ all: true })).removed, [])
  }
  held.end(image.blobs.get(large.digest)!.subarray(1000))
  t.equal((await pull.outcome).imageId, image.imageId)
  const resolved = store.resolve(`${registry.address}/tool:1`)
  t.ok(resolved.chainIds.every((chainId) => store.layers.has(chainId)))
  t.strictSame((await store.collect()).blobs, [])
  await store.prune({ all: true })
  for (const directory of ['layers', 'blobs/sha256', 'images', 'ingest']) {
    t.strictSame(readdirSync(join(root, directory)), [], `${directory}: and afterwards nothing`)
  }
})

t.test('an image that a container of another process uses', async (t) => {
  const { engine, root, runRoot, image: busybox } = await testEngine(t)
  const { run } = cli({ root, runRoot })
  await engine.tag(busybox, 'used:1')
  t.equal((await run(['create', '--name', 'user', 'used:1', 'true'])).code, 0)
  t.match((await engine.images.prune({ all: true })).removed, [])
  const other = await Engine.open({ root, runRoot })
  await other.removeImage('used:1', { force: true })
  t.strictSame(await engine.images(), [])
  await other.images.prune({ all: true })
  await other.close()
  t.match(await run(['start', '-a', 'user']), { code: 0 }, 'its layers stay with the container')
  t.equal((await run(['rm', 'user'])).code, 0)
  await engine.images.prune({ all: true })
  t.strictSame(readdirSync(join(root, 'layers')), [])
})

t.test('a list shows at once what another process changed', async (t) => {
  const { root, store } = testStore(t)
  const other = testStore(t, { root }).store
  const registry = await startScriptedRegistry(t)
  registry.add('tool', '1', image)
  const name = `${registry.address}/tool:1`
  await other.pull(name)
  for (let i = 0; i < 20; i++) {
    await other.tag(name, `name:${i}`)
    t.ok(store.list()[0]!.tags.includes(`name:${i}`), 'no pause in between')
    if (i % 5 === 0) await new Promise((settle) => setTimeout(settle, 120))
  }
  await new Promise((settle) => setTimeout(settle, 120))
  store.list()[0]!.tags.length = 0
  t.equal(store.list()[0]!.tags.length, 21)
  await other.remove('name:7')
  t.equal(store.list()[0]!.tags.length, 20)
})

t.test('many images', async (t) => {
  const { root, store } = testStore(t)
  const write = (name: string, value: object) => writeFileSync(join(root, 'images', name), JSON.stringify(value))
  for (let i = 0; i < 500; i++) {
    const imageId = sha256(`image ${i}`)
    const manifest = { mediaType: image.mediaType, digest: sha256(`manifest ${i}`), size: 1 }
    const content = [manifest.digest, imageId, sha256(`layer ${i % 50}`)]
    const common = { imageId, manifest, content, target: manifest }
    const platform = { os: 'linux', architecture: 'amd64' }
    write(`${imageId}.json`, { ...common, platform, chainIds: [], createdAt: i, size: 1, labels: {} })
    write(`docker.io~team~tool:${i}.json`, {
      ...common,
      reference: `docker.io/team/tool:${i}`,
      manifest: manifest.digest,
    })
  }
  const list = store.list()
  t.equal(list.length, 500)
  t.strictSame(list[0]!.tags, ['team/tool:499'])
  await new Promise((settle) => setTimeout(settle, 150))
  store.list()
  const before = process.cpuUsage()
  for (let i = 0; i < 20; i++) store.list()
  const { user, system } = process.cpuUsage(before)
  t.ok((user + system) / 20_000 < 30, `${(user + system) / 20_000} ms of the processor each`)
})
