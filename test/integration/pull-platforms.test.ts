// lanes: host
import t from 'tap'
import { startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { testStore } from '../helpers/image-store.js'
import { makeImage, makeIndex, sha256 } from '../helpers/oci-image.js'

const INDEX = 'application/vnd.oci.image.index.v1+json'
const HERE = process.arch === 'x64' ? 'amd64' : process.arch
const ELSEWHERE = HERE === 's390x' ? 'ppc64le' : 's390x'
const here = makeImage({ layers: [[{ name: 'a', data: 'here' }]] })
const elsewhere = makeImage({ layers: [[{ name: 'a', data: 'elsewhere' }]], architecture: ELSEWHERE })
const attestation = makeImage({ layers: [[{ name: 'a', data: 'x' }]], architecture: 'unknown' })
const index = makeIndex([
  { image: attestation, architecture: 'unknown' },
  { image: elsewhere, architecture: ELSEWHERE },
  { image: here, architecture: HERE },
])

t.test('an index of images for several platforms', async (t) => {
  const registry = await startScriptedRegistry(t)
  for (const image of [here, elsewhere, attestation]) registry.add('tool', image.manifestDigest, image)
  registry.addManifest('tool', '1', index, INDEX)
  const { store } = testStore(t)
  const name = `${registry.address}/tool:1`

  const pulled = await store.pull(name)
  t.match(pulled, { imageId: here.imageId, digest: sha256(index), updated: true })
  t.equal(store.resolve(name).manifest, here.manifestDigest)
  t.same(store.summary(name).digests, [`${registry.address}/tool@${sha256(index)}`], 'the index is its digest')
  t.notOk(
    registry.asked.some(({ path }) => path.includes(elsewhere.layers[0]!.digest)),
    'other platforms are not fetched',
  )
  t.match(await store.pull(name), { updated: false })
  t.equal(
    store.resolve(`${registry.address}/tool@${sha256(index)}`).id,
    here.imageId,
    'known by the digest of the index',
  )

  t.equal((await store.pull(name, { platform: `linux/${ELSEWHERE}` })).imageId, elsewhere.imageId)
  t.equal(store.resolve(name).id, elsewhere.imageId)
  t.throws(() => store.resolve(name, { platform: `linux/${HERE}` }), { code: 'ERR_JUBAKO_NOT_FOUND' })
  t.equal((await store.ensure(name, { platform: `linux/${HERE}` })).id, here.imageId, 'pulled again for that platform')

  await t.rejects(store.pull(name, { platform: 'linux/riscv64' }), {
    code: 'ERR_JUBAKO_NOT_FOUND',
    message: /riscv64/,
  })
  await t.rejects(store.pull(name, { platform: 'no/such/thing/here' }), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
})

t.test('one manifest, for another platform', async (t) => {
  const registry = await startScriptedRegistry(t)
  registry.add('tool', '1', elsewhere)
  const { store } = testStore(t)
  const name = `${registry.address}/tool:1`
  t.equal((await store.pull(name)).imageId, elsewhere.imageId, 'taken when nobody asked for a platform')
  await t.rejects(store.pull(name, { platform: `linux/${HERE}` }), {
    code: 'ERR_JUBAKO_NOT_FOUND',
    message: new RegExp(`its platform \\(linux/${ELSEWHERE}\\) does not match`),
  })
})

t.test('indexes in indexes, as deep as is sensible', async (t) => {
  const registry = await startScriptedRegistry(t)
  registry.add('tool', 'leaf', here)
  const wrap = (digest: string, size: number, mediaType: string) =>
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [{ mediaType, digest, size }] }))
  let inner = wrap(here.manifestDigest, here.manifest.length, here.mediaType)
  for (const depth of [1, 2, 3, 4, 5, 6]) {
    registry.addManifest('tool', `depth-${depth}`, inner, INDEX)
    inner = wrap(sha256(inner), inner.length, INDEX)
  }
  const { store } = testStore(t)
  t.equal((await store.pull(`${registry.address}/tool:depth-3`)).imageId, here.imageId)
  await t.rejects(store.pull(`${registry.address}/tool:depth-6`), { code: 'ERR_JUBAKO_INTEGRITY' })
})

t.test('what is no image', async (t) => {
  const registry = await startScriptedRegistry(t)
  const manifest = JSON.parse(here.manifest.toString())
  const serve = (tag: string, value: unknown, mediaType = here.mediaType) =>
    registry.addManifest('tool', tag, Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)), mediaType)
  registry.add('tool', 'good', here)
  serve('artifact', { ...manifest, config: { ...manifest.config, mediaType: 'application/vnd.example.thing' } })
  serve('foreign', {
    ...manifest,
    layers: [{ ...manifest.layers[0], mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }],
  })
  serve('layers', { ...manifest, layers: [] })
  serve('json', Buffer.from('{"schemaVersion":'))
  serve('empty', {})
  serve('digest', { ...manifest, config: { ...manifest.config, digest: 'sha256:../../../etc/passwd' } })
  serve('size', { ...manifest, config: { ...manifest.config, size: manifest.config.size + 1 } })
  serve('huge', { ...manifest, config: { ...manifest.config, size: 2 ** 60 } })
  const { store } = testStore(t)
  const expected: Record<string, { code: string }> = {
    artifact: { code: 'ERR_JUBAKO_UNSUPPORTED' },
    foreign: { code: 'ERR_JUBAKO_UNSUPPORTED' },
    layers: { code: 'ERR_JUBAKO_INTEGRITY' },
    json: { code: 'ERR_JUBAKO_INTEGRITY' },
    empty: { code: 'ERR_JUBAKO_INTEGRITY' },
    digest: { code: 'ERR_JUBAKO_INTEGRITY' },
    size: { code: 'ERR_JUBAKO_INTEGRITY' },
    huge: { code: 'ERR_JUBAKO_INTEGRITY' },
  }
  for (const [tag, error] of Object.entries(expected)) {
    await t.rejects(store.pull(`${registry.address}/tool:${tag}`), error, tag)
  }
  t.same(store.list(), [])
})
