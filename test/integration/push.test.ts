// lanes: host
// Images that go out: to a real registry, with the tools of others as the other side.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ProgressEvent } from '../../src/images/index.js'
import { layeredImage } from '../fixtures/images.js'
import { REGISTRY_LOGIN, startRegistry } from '../fixtures/registry.js'
import { startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { testStore } from '../helpers/image-store.js'
import { makeImage, makeIndex, sha256 } from '../helpers/oci-image.js'
import { tool } from '../helpers/processes.js'

const INDEX = 'application/vnd.oci.image.index.v1+json'
const HERE = process.arch === 'x64' ? 'amd64' : process.arch
const image = makeImage({ layers: [[{ name: 'a', data: '1' }], [{ name: 'b', data: '2' }]] })
const elsewhere = makeImage({ layers: [[{ name: 'a', data: '3' }]], architecture: 's390x' })

t.test('a real registry', async (t) => {
  const registry = await startRegistry({ program: 'docker-registry' })
  t.teardown(() => registry.close())
  const source = await registry.push(await layeredImage(20))
  const { root, store, unpacker } = testStore(t)
  const pulled = await store.pull(source)
  const events: ProgressEvent[] = []
  const onProgress = (event: ProgressEvent) => void events.push(event)
  const statuses = () => events.splice(0).map(({ status }) => status.replace(/^(Mounted from).*/, '$1'))

  t.match(await store.push(source, { onProgress }), [{ reference: source, digest: pulled.digest }])
  t.equal(statuses().filter((status) => status === 'Layer already exists').length, 20, 'a second push sends nothing')

  const other = `${registry.address}/other/place:1`
  await store.tag(source, other)
  t.match(await store.push(other, { onProgress }), [{ digest: pulled.digest }], 'the same digest under another name')
  const words = statuses()
  t.equal(words.filter((status) => status === 'Mounted from').length, 20)
  t.equal(words[0], `The push refers to repository [${registry.address}/other/place]`)
  t.match(words.at(-1), /^1: digest: sha256:[0-9a-f]{64} size: \d+$/)
  t.ok(store.summary(source).digests.includes(`${registry.address}/other/place@${pulled.digest}`))
  t.match(await store.pull(other), { updated: false }, 'and the name is up to date')
  const seen = JSON.parse(await tool('skopeo', ['inspect', '--tls-verify=false', `docker://${other}`]))
  t.equal(seen.Digest, pulled.digest)

  const fresh = await startRegistry({ program: 'docker-registry' })
  t.teardown(() => fresh.close())
  for (const tag of ['one', 'two']) await store.tag(source, `${fresh.address}/tool:${tag}`)
  const all = await store.push(`${fresh.address}/tool`, { allTags: true, onProgress })
  t.strictSame(
    all.map(({ reference }) => reference),
    ['one', 'two'].map((tag) => `${fresh.address}/tool:${tag}`),
  )
  const sent = statuses()
  t.equal(sent.filter((status) => status === 'Pushed').length, 20, 'each layer was sent once')
  t.equal(sent.filter((status) => status === 'Layer already exists').length, 20)

  const second = testStore(t)
  const back = await second.store.pullAll(`${fresh.address}/tool`)
  t.strictSame(
    back.map(({ imageId, digest }) => ({ imageId, digest })),
    Array(2).fill({ imageId: pulled.imageId, digest: pulled.digest }),
  )
  t.equal(unpacker.count, 20)
  t.strictSame(
    readdirSync(join(root, 'leases')).filter((name) => name.endsWith('.lease')),
    [],
  )
})

t.test('a registry with passwords and https', async (t) => {
  const registry = await startRegistry({ program: 'docker-registry', password: true, tls: true })
  t.teardown(() => registry.close())
  const name = `${registry.address}/team/tool:1`
  const { store } = testStore(t)
  const other = await startScriptedRegistry(t)
  other.add('tool', '1', image)
  await store.pull(`${other.address}/tool:1`)
  await store.tag(`${other.address}/tool:1`, name)
  await t.rejects(store.push(name), {
    code: 'ERR_JUBAKO_UNAUTHORIZED',
    message: /push access denied for .*team\/tool/,
    hint: /jubako login/,
  })
  const wrong = await store.push(name, { auth: { ...REGISTRY_LOGIN, password: 'n0t-it' } }).catch((error) => error)
  t.match(wrong, { code: 'ERR_JUBAKO_UNAUTHORIZED' })
  t.notMatch(JSON.stringify([wrong.message, wrong.stack, wrong.hint]), /n0t-it/)
  t.match(await store.push(name, { auth: REGISTRY_LOGIN }), [{ digest: image.manifestDigest }])
  await t.rejects(store.pull(name), { code: 'ERR_JUBAKO_UNAUTHORIZED' }, 'credentials of a call are not kept')
  t.match(await store.pull(name, { auth: () => REGISTRY_LOGIN }), { updated: false })
  await t.rejects(store.registry.login(registry.address, { ...REGISTRY_LOGIN, password: 'x' }), {
    code: 'ERR_JUBAKO_UNAUTHORIZED',
    message: /login attempt/,
  })
  t.strictSame(await store.registry.login(registry.address, REGISTRY_LOGIN), { identityToken: undefined })
})

t.test('an image of several platforms', async (t) => {
  const index = makeIndex([
    { image, architecture: HERE },
    { image: elsewhere, architecture: 's390x' },
  ])
  const from = await startScriptedRegistry(t)
  for (const one of [image, elsewhere]) from.add('tool', one.manifestDigest, one)
  from.addManifest('tool', '1', index, INDEX)
  const { store } = testStore(t)
  const name = `${from.address}/tool:1`
  await store.pull(name)
  t.match(await store.push(name), [{ digest: sha256(index) }], 'what is missing here is there')

  const to = await startScriptedRegistry(t)
  await store.tag(name, `${to.address}/tool:1`)
  const events: ProgressEvent[] = []
  t.match(
    await store.push(`${to.address}/tool:1`, { onProgress: (event) => events.push(event) }),
    [{ digest: image.manifestDigest }],
    'elsewhere only what is here goes out',
  )
  t.match(events.at(-1)?.status, /only the available single-platform image was pushed/)
  t.ok(store.summary(name).digests.includes(`${to.address}/tool@${image.manifestDigest}`))
  t.match(await store.push(`${to.address}/tool:1`, { platform: `linux/${HERE}` }), [{ digest: image.manifestDigest }])
  await t.rejects(store.push(`${to.address}/tool:1`, { platform: 'linux/s390x' }), { code: 'ERR_JUBAKO_NOT_FOUND' })

  await store.pull(name, { platform: 'linux/s390x' })
  await store.tag(name, `${to.address}/both:1`)
  await store.collect()
  t.match(await store.push(`${to.address}/both:1`), [{ digest: sha256(index) }], 'whole when all of it is here')
})

t.test('what cannot be pushed', async (t) => {
  const registry = await startScriptedRegistry(t, (request, response) => {
    if (request.method !== 'PUT' || !request.url?.includes('/manifests/')) return false
    request.resume()
    response.writeHead(400).end('{"errors":[{"code":"MANIFEST_INVALID","message":"no"}]}')
    return true
  })
  registry.add('tool', '1', image)
  const { store } = testStore(t)
  const name = `${registry.address}/tool`
  await store.pull(`${name}:1`)
  await t.rejects(store.push(name), { message: `tag does not exist: ${name}:latest` })
  await t.rejects(store.push('nobody/nothing'), {
    message: /An image does not exist locally with the tag: nobody\/noth/,
  })
  await t.rejects(store.push(`${name}@${image.manifestDigest}`), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  await t.rejects(store.push(`${name}:1`, { allTags: true }), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
  await t.rejects(store.push(`${name}:1`), {
    code: 'ERR_JUBAKO_REGISTRY',
    message: new RegExp(`registry ${registry.address}: manifest 1 of tool: status 400: MANIFEST_INVALID: no`),
  })
  await t.rejects(store.push(`${name}:1`, { signal: AbortSignal.abort() }), { code: 'ERR_JUBAKO_ABORTED' })
})
