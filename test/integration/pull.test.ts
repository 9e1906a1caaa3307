// lanes: host
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { ProgressEvent } from '../../src/images/index.js'
import { busyboxImage, layeredImage } from '../fixtures/images.js'
import { startRegistry } from '../fixtures/registry.js'
import { startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { testStore } from '../helpers/image-store.js'
import { makeImage } from '../helpers/oci-image.js'

t.test('an image from a real registry', async (t) => {
  const registry = await startRegistry({ program: 'docker-registry' })
  t.teardown(() => registry.close())
  const reference = await registry.push(await busyboxImage())
  const { root, store, unpacker } = testStore(t)
  const events: ProgressEvent[] = []
  const pulled = await store.pull(reference, { onProgress: (event) => events.push(event) })
  t.match(pulled, { reference, updated: true })
  const image = store.resolve(reference)
  t.equal(image.id, pulled.imageId)
  t.ok(statSync(join(image.layers[0]!, 'bin/busybox')).isFile())
  const statuses = events.map((event) => event.status)
  for (const status of ['Pulling fs layer', 'Download complete', 'Pull complete', `Digest: ${pulled.digest}`]) {
    t.ok(statuses.includes(status), status)
  }
  t.same(readdirSync(join(root, 'ingest')), [], 'nothing half-made stays')

  const again = await store.pull(reference)
  t.match(again, { updated: false, digest: pulled.digest, imageId: pulled.imageId })
  t.equal(unpacker.count, 1)
  const byDigest = await store.pull(`${reference.replace(/:latest$/, '')}@${pulled.digest}`)
  t.equal(byDigest.imageId, pulled.imageId)
  t.equal(unpacker.count, 1, 'layers that are here are not made again')
  await t.rejects(store.pull(reference.replace('latest', 'nope')), {
    code: 'ERR_JUBAKO_NOT_FOUND',
    message: /manifest for .*:nope not found/,
  })
})

t.test('many layers, side by side', async (t) => {
  const registry = await startRegistry({ program: 'docker-registry' })
  t.teardown(() => registry.close())
  const reference = await registry.push(await layeredImage(20))
  const { store } = testStore(t)
  await store.pull(reference)
  const image = store.resolve(reference)
  t.equal(image.layers.length, image.diffIds.length)
  for (const [i, layer] of image.layers.entries()) {
    const record = JSON.parse(readFileSync(join(layer, '../layer.json'), 'utf8'))
    t.equal(record.diffId, image.diffIds[image.diffIds.length - 1 - i], 'topmost first')
  }
})

t.test('a registry with https and a certificate nobody knows', async (t) => {
  const registry = await startRegistry({ program: 'docker-registry', tls: true })
  t.teardown(() => registry.close())
  const reference = await registry.push(await busyboxImage())
  const { store } = testStore(t)
  t.match(await store.pull(reference), { updated: true }, 'loopback is trusted, as in Docker')
})

t.test('unpacking starts while the download runs', async (t) => {
  const image = makeImage({
    layers: [
      [
        { name: 'first', data: randomBytes(3_000_000) },
        { name: 'last', data: randomBytes(3_000_000) },
      ],
    ],
  })
  const { digest } = image.layers[0]!
  const bytes = image.blobs.get(digest)!
  let root = ''
  let early = false
  const registry = await startScriptedRegistry(t, (_, response, path) => {
    if (!path.endsWith(digest)) return false
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, bytes.length - 1_000_000))
    void (async () => {
      const unpacked = () => {
        const drafts = readdirSync(join(root, 'ingest')).filter((name) => name.startsWith('layer-'))
        return drafts.some((name) => existsSync(join(root, 'ingest', name, 'diff/first')))
      }
      for (let waitedMs = 0; !unpacked() && waitedMs < 20_000; waitedMs += 10) await sleep(10)
      early = unpacked()
      response.end(bytes.subarray(bytes.length - 1_000_000))
    })()
    return true
  })
  registry.add('test/image', 'latest', image)
  const made = testStore(t)
  root = made.root
  await made.store.pull(`${registry.address}/test/image`)
  t.ok(early, 'a file is there before the blob is')
  t.equal(made.unpacker.count, 1, 'and nothing was unpacked twice')
  const [layer] = made.store.resolve(`${registry.address}/test/image`).layers
  t.equal(statSync(join(layer!, 'last')).size, 3_000_000)
})
