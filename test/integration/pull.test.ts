// lanes: host
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ProgressEvent } from '../../src/images/index.js'
import { busyboxImage, layeredImage } from '../fixtures/images.js'
import { startRegistry } from '../fixtures/registry.js'
import { testStore } from '../helpers/image-store.js'

t.test('an image from a real registry', async (t) => {
  const registry = await startRegistry()
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
  const registry = await startRegistry()
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
  const registry = await startRegistry({ tls: true })
  t.teardown(() => registry.close())
  const reference = await registry.push(await busyboxImage())
  const { store } = testStore(t)
  t.match(await store.pull(reference), { updated: true }, 'loopback is trusted, as in Docker')
})
