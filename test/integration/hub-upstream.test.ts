// lanes: host
// The registry as a cache of another one: docker-registry, with and without a password, and when it is down.
import { execFile } from 'node:child_process'
import t from 'tap'
import { digestOf } from '../../src/oci/index.js'
import { temporary, testHub } from '../fixtures/hub.js'
import { busyboxImage } from '../fixtures/images.js'
import { REGISTRY_LOGIN, startRegistry } from '../fixtures/registry.js'
import { testEngine } from '../helpers/engine.js'

interface Manifest {
  config: { digest: string }
  layers: { digest: string; size: number }[]
}

t.test('what was pulled once is served when the other one is down', async (t) => {
  const image = await busyboxImage()
  const upstream = await startRegistry({ program: 'docker-registry', password: true })
  t.teardown(() => upstream.close())
  await upstream.push(image, 'team/app', '1')
  await upstream.push(image, 'team/app', '2')
  const { username, password } = REGISTRY_LOGIN
  const hub = await testHub(t, { proxy: `http://${username}:${password}@${upstream.address}` })
  const { call, code, server } = hub

  const first = await call('GET', '/v2/team/app/manifests/1')
  t.equal(first.status, 200)
  const bytes = await first.text()
  t.equal(first.headers.get('docker-content-digest'), digestOf(bytes))
  const manifest = JSON.parse(bytes) as Manifest
  const layer = manifest.layers[0]!
  // Several at once, and a part: one download.
  const [whole, again, part] = await Promise.all([
    call('GET', `/v2/team/app/blobs/${layer.digest}`).then((it) => it.arrayBuffer()),
    call('GET', `/v2/team/app/blobs/${layer.digest}`).then((it) => it.arrayBuffer()),
    call('GET', `/v2/team/app/blobs/${layer.digest}`, undefined, { Range: 'bytes=100-199' }).then((it) =>
      it.arrayBuffer(),
    ),
  ])
  t.equal(digestOf(Buffer.from(whole)), layer.digest)
  t.equal(digestOf(Buffer.from(again)), layer.digest)
  t.ok(Buffer.from(part).equals(Buffer.from(whole).subarray(100, 200)))
  t.equal((await call('GET', `/v2/team/app/blobs/${manifest.config.digest}`)).status, 200)
  t.strictSame(((await (await call('GET', '/v2/team/app/tags/list')).json()) as { tags: string[] }).tags, ['1', '2'])
  t.strictSame(await code(await call('GET', '/v2/team/none/manifests/1')), [404, 'MANIFEST_UNKNOWN'])
  t.strictSame(await code(await call('GET', `/v2/team/app/blobs/${digestOf('x')}`)), [404, 'BLOB_UNKNOWN'])
  t.strictSame(await code(await call('POST', '/v2/team/app/blobs/uploads/')), [405, 'UNSUPPORTED'])

  await upstream.close()
  t.equal(await (await call('GET', '/v2/team/app/manifests/1')).text(), bytes)
  t.equal((await call('GET', `/v2/team/app/blobs/${layer.digest}`)).status, 200)
  t.strictSame(((await (await call('GET', '/v2/team/app/tags/list')).json()) as { tags: string[] }).tags, ['1'])
  t.equal((await call('GET', '/v2/team/app/manifests/2')).status, 502)
  const it = await testEngine(t)
  t.equal((await it.engine.pull(`${server.address}/team/app:1`)).imageId, it.image)
  await it.engine.removeImage(`${server.address}/team/app:1`)

  // Another process on the same directory, from its start without the other one.
  await server.close()
  const later = await testHub(t, { root: hub.root, proxy: `http://${upstream.address}` })
  t.equal(await (await later.call('GET', '/v2/team/app/manifests/1')).text(), bytes)
  const metrics = await (await later.call('GET', '/metrics')).text()
  t.match(metrics, /jubako_registry_proxy_hits_total [1-9]/)
  t.match(metrics, /jubako_registry_proxy_misses_total 0/)
})

t.test('a tag that moved, and content that is not what it says', async (t) => {
  const upstream = await testHub(t)
  const config = await upstream.blob('a', '{}')
  const old = await upstream.manifest('a', 'v', { config, layers: [] })
  const root = temporary(t)
  const before = await testHub(t, { root, proxy: upstream.server.url })
  t.equal(await (await before.call('GET', '/v2/a/manifests/v')).text(), old.bytes)
  const layer = await upstream.blob('a', 'layer')
  const now = await upstream.manifest('a', 'v', { config, layers: [layer] })
  await before.server.close()
  const after = await testHub(t, { root, proxy: upstream.server.url })
  t.equal(await (await after.call('GET', '/v2/a/manifests/v')).text(), now.bytes)
  const { writeFileSync } = await import('node:fs')
  writeFileSync(`${upstream.root}/blobs/sha256/${layer.digest.slice(7)}`, 'other')
  const got = await after
    .call('GET', `/v2/a/blobs/${layer.digest}`)
    .then(
      (it) => it.text(),
      () => undefined,
    )
    .catch(() => undefined)
  t.equal(got, undefined, 'the connection breaks before the last bytes')
  t.equal((await after.call('GET', '/v2/_catalog')).status, 200)
  const skopeo = await new Promise<string>((done) => {
    const args = ['inspect', '--raw', '--tls-verify=false', `docker://${after.server.address}/a:v`]
    execFile('skopeo', args, (_, stdout) => done(stdout))
  })
  t.equal(skopeo, now.bytes)
})
