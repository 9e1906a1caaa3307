// lanes: host
// The conformance workflows of the OCI distribution specification 1.1 against the registry, and real clients.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { serveRegistry } from '../../src/hub/index.js'
import { digestOf } from '../../src/oci/index.js'
import { INDEX, MANIFEST, temporary, testHub } from '../fixtures/hub.js'
import { busyboxImage } from '../fixtures/images.js'
import { testEngine } from '../helpers/engine.js'

t.test('push and pull', async (t) => {
  const { call, code, blob, manifest, root } = await testHub(t)
  t.equal((await call('GET', '/v2/')).status, 200)
  t.equal((await call('GET', '/healthz')).status, 200)
  const name = 'team/app'
  const half = randomBytes(300_000)
  const whole = Buffer.concat([half, half])
  const digest = digestOf(whole)
  t.strictSame(await code(await call('GET', `/v2/${name}/blobs/${digest}`)), [404, 'BLOB_UNKNOWN'])

  // In chunks, the second of them first at the wrong place.
  const begun = await call('POST', `/v2/${name}/blobs/uploads/`)
  t.equal(begun.status, 202)
  const place = begun.headers.get('location') as string
  const first = await call('PATCH', place, half, { 'Content-Range': '0-299999' })
  t.equal(first.status, 202)
  t.equal(first.headers.get('range'), '0-299999')
  t.equal((await call('PATCH', place, half, { 'Content-Range': '5-300004' })).status, 416)
  t.equal(
    (await call('PATCH', place, half, { 'Content-Range': '300000-300001' })).status,
    416,
    'a length that is a lie',
  )
  t.equal((await call('GET', place)).headers.get('range'), '0-299999')
  t.notOk(existsSync(join(root, 'blobs/sha256', digest.slice(7))), 'not visible before it is whole')
  t.equal((await call('PATCH', place, half)).status, 202)
  t.equal((await call('PUT', `${place}?digest=${digest}`)).status, 201)
  t.equal((await call('GET', place)).status, 404)

  const got = await call('GET', `/v2/${name}/blobs/${digest}`)
  t.ok(Buffer.from(await got.arrayBuffer()).equals(whole))
  const part = await call('GET', `/v2/${name}/blobs/${digest}`, undefined, { Range: 'bytes=10-19' })
  t.equal(part.status, 206)
  t.equal(part.headers.get('content-range'), `bytes 10-19/${whole.length}`)
  t.ok(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(10, 20)))
  t.equal((await call('GET', `/v2/${name}/blobs/${digest}`, undefined, { Range: 'bytes=9999999-' })).status, 416)
  const head = await call('HEAD', `/v2/${name}/blobs/${digest}`)
  t.equal(head.headers.get('content-length'), String(whole.length))

  // sha512, a wrong digest, a blob of another repository.
  const long = digestOf('x', 'sha512')
  t.equal((await call('POST', `/v2/${name}/blobs/uploads/?digest=${long}`, 'x')).status, 201)
  t.strictSame(await code(await call('POST', `/v2/${name}/blobs/uploads/?digest=${digestOf('y')}`, 'x')), [
    400,
    'DIGEST_INVALID',
  ])
  t.equal((await call('GET', `/v2/other/blobs/${digest}`)).status, 404, 'a repository shows its own blobs only')
  t.equal((await call('POST', `/v2/other/blobs/uploads/?mount=${digest}&from=team/app`)).status, 201)
  t.equal((await call('HEAD', `/v2/other/blobs/${digest}`)).status, 200)
  t.equal((await call('POST', `/v2/other/blobs/uploads/?mount=${digestOf('no')}&from=team/app`)).status, 202)

  const config = await blob(name, '{}')
  const layer = { mediaType: 'application/octet-stream', digest, size: whole.length }
  const kept = await manifest(name, 'v1', { config, layers: [layer] })
  t.equal(kept.put.status, 201)
  t.equal(kept.put.headers.get('docker-content-digest'), kept.digest)
  for (const reference of ['v1', kept.digest]) {
    const back = await call('GET', `/v2/${name}/manifests/${reference}`)
    t.equal(back.headers.get('content-type'), MANIFEST)
    t.equal(await back.text(), kept.bytes, 'byte for byte')
    t.equal((await call('HEAD', `/v2/${name}/manifests/${reference}`)).status, 200)
  }
  const missing = { ...layer, digest: digestOf('nowhere') }
  t.strictSame(await code((await manifest(name, 'v2', { config, layers: [missing] })).put), [
    400,
    'MANIFEST_BLOB_UNKNOWN',
  ])
  t.strictSame(await code(await call('GET', `/v2/${name}/manifests/none`)), [404, 'MANIFEST_UNKNOWN'])
  t.strictSame(await code(await call('PUT', `/v2/${name}/manifests/v3`, '{"half')), [400, 'MANIFEST_INVALID'])
})

t.test('discovery and management', async (t) => {
  const { call, code, blob, manifest } = await testHub(t)
  const config = await blob('a/b', '{}')
  const image = await manifest('a/b', 'one', { config, layers: [] })
  for (const tag of ['two', 'three', 'four']) await manifest('a/b', tag, { config, layers: [] })
  t.strictSame(await (await call('GET', '/v2/a/b/tags/list')).json(), {
    name: 'a/b',
    tags: ['four', 'one', 'three', 'two'],
  })
  const page = await call('GET', '/v2/a/b/tags/list?n=2')
  t.strictSame(((await page.json()) as { tags: string[] }).tags, ['four', 'one'])
  const link = /<([^>]+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1] as string
  t.strictSame(((await (await call('GET', link)).json()) as { tags: string[] }).tags, ['three', 'two'])
  t.strictSame(await code(await call('GET', '/v2/none/tags/list')), [404, 'NAME_UNKNOWN'])
  t.strictSame(await (await call('GET', '/v2/_catalog')).json(), { repositories: ['a/b'] })

  const subject = { mediaType: MANIFEST, digest: image.digest, size: image.bytes.length }
  const sbom = await manifest('a/b', digestOf('').slice(7, 20), {
    artifactType: 'application/x-sbom',
    config,
    layers: [],
    subject,
    annotations: { a: '1' },
  })
  t.equal(sbom.put.headers.get('oci-subject'), image.digest)
  const list = await call('GET', `/v2/a/b/referrers/${image.digest}`)
  t.match(await list.json(), {
    manifests: [{ digest: sbom.digest, artifactType: 'application/x-sbom', annotations: { a: '1' } }],
  })
  const other = await call('GET', `/v2/a/b/referrers/${image.digest}?artifactType=x`)
  t.equal(other.headers.get('oci-filters-applied'), 'artifactType')
  t.strictSame(((await other.json()) as { manifests: [] }).manifests, [])
  t.strictSame(
    ((await (await call('GET', `/v2/a/b/referrers/${digestOf('z')}`)).json()) as { manifests: [] }).manifests,
    [],
    'nothing refers to what is not there',
  )

  t.equal((await call('DELETE', '/v2/a/b/manifests/two')).status, 202)
  t.equal((await call('GET', '/v2/a/b/manifests/two')).status, 404)
  t.equal((await call('GET', '/v2/a/b/manifests/one')).status, 200, 'only the tag went')
  t.equal((await call('DELETE', `/v2/a/b/manifests/${image.digest}`)).status, 202)
  t.equal((await call('GET', '/v2/a/b/manifests/one')).status, 404)
  t.equal((await call('DELETE', `/v2/a/b/blobs/${config.digest}`)).status, 202)
  t.equal((await call('GET', `/v2/a/b/blobs/${config.digest}`)).status, 404)
  t.equal((await call('DELETE', `/v2/a/b/blobs/${config.digest}`)).status, 404)
})

t.test('further requirements of the specification', async (t) => {
  const { call, code, blob, manifest } = await testHub(t)
  const none = digestOf('none')
  for (const path of [`/v2/a/blobs/${none}`, `/v2/a/manifests/${none}`, '/v2/a/manifests/none']) {
    const head = await call('HEAD', path)
    t.equal(head.status, 404, path)
    t.equal(await head.text(), '')
  }

  // A whole upload in two steps, to the place that was said; then one that is given up.
  const body = 'in one piece'
  const place = (await call('POST', '/v2/a/blobs/uploads/')).headers.get('location') as string
  const put = await call('PUT', `${place}?digest=${digestOf(body)}`, body)
  t.equal(put.status, 201)
  t.equal(put.headers.get('location'), `/v2/a/blobs/${digestOf(body)}`)
  t.equal(put.headers.get('docker-content-digest'), digestOf(body))
  const given = (await call('POST', '/v2/a/blobs/uploads/')).headers.get('location') as string
  t.equal((await call('DELETE', given)).status, 204)
  t.strictSame(await code(await call('GET', given)), [404, 'BLOB_UPLOAD_UNKNOWN'])
  t.strictSame(await code(await call('PATCH', given, 'x')), [404, 'BLOB_UPLOAD_UNKNOWN'])

  // Chunks that come out of order, and the state in between.
  const chunked = (await call('POST', '/v2/a/blobs/uploads/', undefined, { 'Content-Length': '0' })).headers
  t.equal(chunked.get('oci-chunk-min-length'), '1')
  const at = chunked.get('location') as string
  t.strictSame(await code(await call('PATCH', at, 'second', { 'Content-Range': '6-11' })), [416, 'BLOB_UPLOAD_INVALID'])
  t.equal((await call('PATCH', at, 'first ', { 'Content-Range': '0-5' })).status, 202)
  t.equal((await call('PATCH', at, 'first ', { 'Content-Range': '0-5' })).status, 416, 'the same chunk again')
  for (const wrong of ['a-b', '6', '-1-5', '6-5', 'bytes 6-4/9'])
    t.equal((await call('PATCH', at, 'second', { 'Content-Range': wrong })).status, 416, wrong)
  const state = await call('GET', at)
  t.equal(state.status, 204)
  t.equal(state.headers.get('range'), '0-5')
  const last = await call('PUT', `${at}?digest=${digestOf('first second')}`, 'second', { 'Content-Range': '6-11' })
  t.equal(last.status, 201)
  const whole = `/v2/a/blobs/${digestOf('first second')}`
  t.equal(await (await call('GET', whole)).text(), 'first second')
  t.equal(await (await call('GET', whole, undefined, { Range: 'bytes=-6' })).text(), 'second')

  // A mount without a source, and from one that has it not.
  t.equal((await call('POST', `/v2/b/blobs/uploads/?mount=${digestOf(body)}`)).status, 202)
  t.equal((await call('POST', `/v2/b/blobs/uploads/?mount=${digestOf(body)}&from=c`)).status, 202)

  // Documents of every kind, as they came.
  const config = await blob('a', '{}')
  const image = await manifest('a', 'image', { config, layers: [] })
  const child = { mediaType: MANIFEST, digest: image.digest, size: image.bytes.length }
  const index = await manifest('a', 'index', { mediaType: INDEX, manifests: [child] })
  t.equal(index.put.status, 201)
  const got = await call('GET', '/v2/a/manifests/index', undefined, { Accept: 'text/plain' })
  t.equal(got.headers.get('content-type'), INDEX)
  const absent = { ...child, digest: digestOf('absent') }
  t.equal((await manifest('a', 'index2', { mediaType: INDEX, manifests: [absent] })).put.status, 400)
  const own = { mediaType: 'application/vnd.example.thing+json', anything: [1, 2, 3] }
  const strange = await manifest('a', 'strange', own)
  t.equal(strange.put.status, 201)
  const back = await call('GET', `/v2/a/manifests/${strange.digest}`)
  t.equal(back.headers.get('content-type'), own.mediaType)
  t.equal(await back.text(), strange.bytes)
  const long = digestOf(strange.bytes, 'sha512')
  t.equal((await manifest('a', long, own)).put.headers.get('docker-content-digest'), long)
  t.equal((await call('HEAD', `/v2/a/manifests/${long}`)).status, 200)
  t.strictSame(await code((await manifest('a', digestOf('other'), own)).put), [400, 'DIGEST_INVALID'])
  const etag = got.headers.get('etag') as string
  t.equal((await call('GET', '/v2/a/manifests/index', undefined, { 'If-None-Match': etag })).status, 304)
  const mismatch = await call('PUT', '/v2/a/manifests/x', strange.bytes, { 'Content-Type': MANIFEST })
  t.strictSame(await code(mismatch), [400, 'MANIFEST_INVALID'])

  // Lists.
  const list = async (query: string) =>
    ((await (await call('GET', `/v2/a/tags/list${query}`)).json()) as { tags: [] }).tags
  t.strictSame(await list('?n=0'), [])
  t.strictSame(await list('?last=image'), ['index', 'strange'])
  t.strictSame(await list('?n=1&last=image'), ['index'])
  t.equal((await call('GET', '/v2/a/tags/list?n=x')).status, 400)

  // What refers to a manifest that is not there, and what an old client listed under the fallback tag.
  const subject = { mediaType: MANIFEST, digest: digestOf('later'), size: 5 }
  const artifact = await manifest('a', 'artifact', { artifactType: 'application/a', config, layers: [], subject })
  t.equal(artifact.put.headers.get('oci-subject'), subject.digest)
  const referrers = async (digest: string, query = '') => {
    const response = await call('GET', `/v2/a/referrers/${digest}${query}`)
    t.equal(response.headers.get('content-type'), INDEX)
    return ((await response.json()) as { manifests: { digest: string }[] }).manifests.map((it) => it.digest)
  }
  t.strictSame(await referrers(subject.digest), [artifact.digest])
  t.strictSame(await referrers(subject.digest, '?artifactType=application/a'), [artifact.digest])
  const old = await manifest('a', 'old', { artifactType: 'application/b', config, layers: [] })
  const listed = { mediaType: MANIFEST, digest: old.digest, size: old.bytes.length, artifactType: 'application/b' }
  const fallback = image.digest.replace(':', '-')
  t.equal((await manifest('a', fallback, { mediaType: INDEX, manifests: [listed] })).put.status, 201)
  t.strictSame(await referrers(image.digest), [old.digest])
  t.equal((await call('DELETE', `/v2/a/manifests/${artifact.digest}`)).status, 202)
  t.strictSame(await referrers(subject.digest), [])
  t.strictSame(await code(await call('GET', '/v2/a/referrers/sha256:no')), [400, 'DIGEST_INVALID'])
})

t.test('bad input', async (t) => {
  const { call, code, server, root } = await testHub(t, { maxBlobBytes: 1000 })
  for (const name of ['A/b', 'a//b', '..%2f..%2fetc', 'a/../b%2e%2e', '%00', `${'a'.repeat(300)}`]) {
    const response = await call('PUT', `/v2/${name}/manifests/x`, '{}')
    t.ok(response.status === 400 || response.status === 404, `${name}: ${response.status}`)
  }
  t.strictSame(await code(await call('GET', '/v2/a/blobs/sha256:..%2f..%2fx')), [404, 'UNSUPPORTED'])
  t.strictSame(await code(await call('GET', '/v2/a/blobs/sha256:xyz')), [400, 'DIGEST_INVALID'])
  t.strictSame(await code(await call('POST', '/v2/a/manifests/x')), [405, 'UNSUPPORTED'])
  const long = await call('POST', `/v2/a/blobs/uploads/?digest=${digestOf('x')}`, 'x'.repeat(2000))
  t.strictSame(await code(long), [413, 'SIZE_INVALID'])
  t.strictSame(await code(await call('GET', '/v2/a/blobs/uploads/not-an-id')), [404, 'BLOB_UPLOAD_UNKNOWN'])
  // Two lengths: request smuggling.
  const socket = connect(server.port, '127.0.0.1')
  socket.write(
    'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  t.match(answer.toString(), /^HTTP\/1\.1 400 /)
  t.strictSame(readdirSync(root).sort(), ['blobs', 'ingest', 'registry.lock', 'uploads'], 'nothing was made')
  await t.rejects(serveRegistry({ root, host: '0.0.0.0', port: 0 }), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })

  const readonly = await testHub(t, { readonly: true })
  t.strictSame(await readonly.code(await readonly.call('POST', '/v2/a/blobs/uploads/')), [403, 'DENIED'])
})

t.test('an upload goes on after kill -9 of the registry', async (t) => {
  const root = temporary(t)
  const script = `import('${new URL('../../src/hub/index.js', import.meta.url).href}').then(async ({ serveRegistry }) => {
    console.log((await serveRegistry({ root: process.argv[1], port: 0 })).url)
  })`
  const start = async () => {
    const child = spawn(process.execPath, ['-e', script, root], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    return { child, url: line.toString().trim() }
  }
  const half = randomBytes(200_000)
  const digest = digestOf(Buffer.concat([half, half]))
  const one = await start()
  const place = (await fetch(`${one.url}/v2/a/blobs/uploads/`, { method: 'POST' })).headers.get('location') as string
  await fetch(one.url + place, { method: 'PATCH', body: half })
  one.child.kill('SIGKILL')
  await once(one.child, 'exit')
  const two = await start()
  t.equal((await fetch(two.url + place)).headers.get('range'), '0-199999')
  t.equal((await fetch(`${two.url}${place}?digest=${digest}`, { method: 'PUT', body: half })).status, 201)
  two.child.kill('SIGKILL')
  await once(two.child, 'exit')
  const three = await start()
  t.equal((await fetch(`${three.url}/v2/a/blobs/${digest}`, { method: 'HEAD' })).status, 200, 'acknowledged is kept')
})

t.test('images go in and out by the engine and by skopeo', async (t) => {
  const { server } = await testHub(t)
  const it = await testEngine(t)
  const host = `127.0.0.1:${server.port}`
  await it.engine.tag(it.image, `${host}/own/busybox:1`)
  await it.engine.push(`${host}/own/busybox:1`)
  await it.engine.removeImage(`${host}/own/busybox:1`)
  t.equal((await it.engine.pull(`${host}/own/busybox:1`)).imageId, it.image)
  await it.engine.removeImage(`${host}/own/busybox:1`)

  const { layout } = await busyboxImage()
  // Not spawnSync: the registry is in this process.
  const skopeo = (...args: string[]) =>
    new Promise<{ status: number; stdout: string; stderr: string }>((done) => {
      execFile('skopeo', args, { timeout: 60_000 }, (error, stdout, stderr) =>
        done({ status: error === null ? 0 : 1, stdout, stderr }),
      )
    })
  const copied = await skopeo('copy', '--dest-tls-verify=false', `oci:${layout}`, `docker://${host}/theirs/busybox:2`)
  t.equal(copied.status, 0, copied.stderr)
  const tags = await skopeo('list-tags', '--tls-verify=false', `docker://${host}/theirs/busybox`)
  t.same(JSON.parse(tags.stdout), { Repository: `${host}/theirs/busybox`, Tags: ['2'] })
  t.equal((await it.engine.pull(`${host}/theirs/busybox:2`)).imageId, it.image)
  const deleted = await skopeo('delete', '--tls-verify=false', `docker://${host}/theirs/busybox:2`)
  t.equal(deleted.status, 0, deleted.stderr)
  t.not((await skopeo('inspect', '--tls-verify=false', `docker://${host}/theirs/busybox:2`)).status, 0)
  await it.engine.removeImage(`${host}/theirs/busybox:2`)
})
