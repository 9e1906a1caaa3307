// lanes: host
// The requirements of the OCI distribution specification 1.1, workflow by workflow, each under what it demands.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { digestOf } from '../../src/oci/index.js'
import { INDEX, MANIFEST, type TestHub, testHub } from '../fixtures/hub.js'

const NAME = 'conformance/app'
const EMPTY = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 }
const at = (rest: string, name = NAME) => `/v2/${name}/${rest}`

/** Every error has the shape and one of the codes of the specification. */
async function refused(t: Test, response: Response, status: number, code: string): Promise<void> {
  t.equal(response.status, status)
  t.match(response.headers.get('content-type'), /^application\/json$/)
  const { errors } = (await response.json()) as { errors: { code: string; message: string }[] }
  t.equal(errors[0]?.code, code)
  t.type(errors[0]?.message, 'string')
}

const begin = async (hub: TestHub, query = ''): Promise<string> =>
  (await hub.call('POST', at(`blobs/uploads/${query}`), undefined, { 'Content-Length': '0' })).headers.get('location')!

const nextOf = (response: Response) => /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]

t.test('pull', async (t) => {
  const hub = await testHub(t)
  const { call, manifest } = hub
  const bytes = randomBytes(2048)
  const blob = await hub.blob(NAME, bytes)
  await hub.blob(NAME, '{}')
  const image = await manifest(NAME, 'v1', { config: EMPTY, layers: [blob] })

  for (const place of [`manifests/${digestOf('no')}`, 'manifests/no', `blobs/${digestOf('no')}`]) {
    for (const name of [NAME, 'no/repository']) {
      const code = place.startsWith('blobs') ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN'
      await refused(t, await call('GET', at(place, name)), 404, code)
      const head = await call('HEAD', at(place, name))
      t.equal(head.status, 404, `HEAD ${place}`)
      t.equal(await head.text(), '')
    }
  }
  for (const reference of ['v1', image.digest]) {
    const got = await call('GET', at(`manifests/${reference}`), undefined, { Accept: MANIFEST })
    t.equal(got.status, 200)
    t.equal(got.headers.get('content-type'), MANIFEST, 'as it was pushed, without parameters')
    t.equal(got.headers.get('docker-content-digest'), image.digest)
    t.equal(await got.text(), image.bytes)
    const head = await call('HEAD', at(`manifests/${reference}`))
    t.equal(head.status, 200)
    t.equal(head.headers.get('content-length'), String(image.bytes.length))
    t.equal(head.headers.get('docker-content-digest'), image.digest)
  }
  const got = await call('GET', at(`blobs/${blob.digest}`))
  t.equal(got.headers.get('docker-content-digest'), blob.digest)
  t.ok(Buffer.from(await got.arrayBuffer()).equals(bytes))
  const head = await call('HEAD', at(`blobs/${blob.digest}`))
  t.equal(head.status, 200)
  t.equal(head.headers.get('content-length'), '2048')
  t.equal(head.headers.get('docker-content-digest'), blob.digest)
  for (const [range, from, to] of [
    ['500-1499', 500, 1499],
    ['500-', 500, 2047],
    ['-500', 1548, 2047],
    ['2000-5000', 2000, 2047],
    ['-5000', 0, 2047],
  ] as const) {
    const part = await call('GET', at(`blobs/${blob.digest}`), undefined, { Range: `bytes=${range}` })
    t.equal(part.status, 206, range)
    t.equal(part.headers.get('content-range'), `bytes ${from}-${to}/2048`)
    t.equal(part.headers.get('content-length'), String(to + 1 - from))
    t.ok(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(from, to + 1)))
  }
  for (const range of ['500-0', '5000-10000', '2048-'])
    t.equal((await call('GET', at(`blobs/${blob.digest}`), undefined, { Range: `bytes=${range}` })).status, 416, range)
})

for (const algorithm of ['sha256', 'sha512'] as const) {
  t.test(`push of blobs, ${algorithm}`, async (t) => {
    const hub = await testHub(t)
    const { call } = hub
    const sized = (size: number) => {
      const bytes = randomBytes(size)
      return { bytes, digest: digestOf(bytes, algorithm) }
    }
    const is = async (bytes: Buffer | string, put: Response, what: string) => {
      const digest = digestOf(bytes, algorithm)
      t.equal(put.status, 201, what)
      t.equal(put.headers.get('docker-content-digest'), digest)
      const got = await call('GET', put.headers.get('location')!)
      t.equal(got.status, 200)
      t.ok(Buffer.from(await got.arrayBuffer()).equals(Buffer.from(bytes)), 'it is what was sent')
    }
    const uuid = /\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

    const two = sized(1000)
    const begun = await call('POST', at('blobs/uploads/'), undefined, { 'Content-Length': '0' })
    t.equal(begun.status, 202)
    t.match(begun.headers.get('location'), uuid)
    const place = begun.headers.get('location')!
    await is(two.bytes, await call('PUT', `${place}?digest=${two.digest}`, two.bytes), 'POST, then PUT')
    for (const bytes of [randomBytes(1000), Buffer.alloc(0), Buffer.from('{}')]) {
      const post = await call('POST', at(`blobs/uploads/?digest=${digestOf(bytes, algorithm)}`), bytes)
      await is(bytes, post, `one POST of ${bytes.length} bytes`)
    }
    const stream = sized(5000)
    const open = await begin(hub)
    const patched = await fetch(new URL(open, hub.server.url), {
      method: 'PATCH',
      duplex: 'half',
      body: new ReadableStream({
        start(controller) {
          for (let i = 0; i < 5; i++) controller.enqueue(stream.bytes.subarray(i * 1000, (i + 1) * 1000))
          controller.close()
        },
      }),
    } as RequestInit)
    t.equal(patched.status, 202)
    t.equal(patched.headers.get('range'), '0-4999')
    const closed = await call('PUT', `${patched.headers.get('location')}?digest=${stream.digest}`)
    await is(stream.bytes, closed, 'a stream of a length that is not said')

    // Chunks: in order, and nothing else.
    const chunked = sized(3000)
    const chunk = (n: number) => chunked.bytes.subarray(n * 1000, (n + 1) * 1000)
    const range = (n: number) => ({ 'Content-Range': `${n * 1000}-${n * 1000 + 999}` })
    const post = await call('POST', at('blobs/uploads/'), undefined, { 'Content-Length': '0' })
    t.equal(post.headers.get('oci-chunk-min-length'), '1')
    let session = post.headers.get('location')!
    await refused(t, await call('PATCH', session, chunk(1), range(1)), 416, 'BLOB_UPLOAD_INVALID')
    for (const n of [0, 1]) {
      const patch = await call('PATCH', session, chunk(n), range(n))
      t.equal(patch.status, 202)
      t.equal(patch.headers.get('range'), `0-${n * 1000 + 999}`)
      session = patch.headers.get('location')!
      await refused(t, await call('PATCH', session, chunk(n), range(n)), 416, 'BLOB_UPLOAD_INVALID')
      const state = await call('GET', session)
      t.equal(state.status, 204)
      t.equal(state.headers.get('range'), `0-${n * 1000 + 999}`)
      session = state.headers.get('location')!
    }
    const end = `${session}?digest=${chunked.digest}`
    await refused(t, await call('PUT', end, chunk(1), range(1)), 416, 'BLOB_UPLOAD_INVALID')
    await is(chunked.bytes, await call('PUT', end, chunk(2), range(2)), 'the last chunk with the PUT')
    await refused(t, await call('GET', session), 404, 'BLOB_UPLOAD_UNKNOWN')

    // Bytes that are not what the digest says, on every way.
    const wrong = digestOf('other', algorithm)
    const bad = async (put: Response, what: string) => {
      await refused(t, put, 400, 'DIGEST_INVALID')
      t.equal((await call('HEAD', at(`blobs/${wrong}`))).status, 404, what)
    }
    await bad(await call('POST', at(`blobs/uploads/?digest=${wrong}`), 'x'), 'POST')
    await bad(await call('PUT', `${await begin(hub)}?digest=${wrong}`, 'x'), 'POST, PUT')
    const third = await begin(hub)
    await call('PATCH', third, 'x')
    await bad(await call('PUT', `${third}?digest=${wrong}`), 'PATCH')
    const fourth = await begin(hub)
    await call('PATCH', fourth, 'x', { 'Content-Range': '0-0' })
    await bad(await call('PUT', `${fourth}?digest=${wrong}`, 'y', { 'Content-Range': '1-1' }), 'chunks')
    for (const digest of ['sha256:baddigest', `md5:${'0'.repeat(32)}`, 'x', ''])
      await refused(t, await call('PUT', `${await begin(hub)}?digest=${digest}`, 'x'), 400, 'DIGEST_INVALID')

    const given = await begin(hub)
    t.equal((await call('DELETE', given)).status, 204, 'an upload is given up')
    await refused(t, await call('GET', given), 404, 'BLOB_UPLOAD_UNKNOWN')

    // Mounts.
    const mounted = await call('POST', at(`blobs/uploads/?mount=${two.digest}&from=${NAME}`, 'other/app'))
    await is(two.bytes, mounted, 'a mount')
    t.match(mounted.headers.get('location'), `/v2/other/app/blobs/${two.digest}`)
    for (const query of [`mount=${two.digest}`, `mount=${wrong}&from=${NAME}`, `mount=${two.digest}&from=no/where`]) {
      const unable = await call('POST', at(`blobs/uploads/?${query}`, 'third/app'))
      t.equal(unable.status, 202, query)
      t.match(unable.headers.get('location'), uuid)
    }
  })
}

t.test('push of manifests', async (t) => {
  const hub = await testHub(t)
  const { call, manifest } = hub
  await hub.blob(NAME, '{}')
  const layer = await hub.blob(NAME, 'layer')
  const item = ({ bytes, digest }: { bytes: string; digest: string }, mediaType = MANIFEST) => ({
    mediaType,
    digest,
    size: Buffer.byteLength(bytes),
  })
  const image = await manifest(NAME, 'image', { config: EMPTY, layers: [layer] })
  const index = await manifest(NAME, 'index', { mediaType: INDEX, manifests: [item(image)] })
  const kinds = {
    image,
    index,
    'without layers': await manifest(NAME, 'bare', { config: EMPTY, layers: [] }),
    'an index of layers, as caches of builds are': await manifest(NAME, 'cache', {
      mediaType: INDEX,
      manifests: [layer, EMPTY],
    }),
    'nested index': await manifest(NAME, 'nested', { mediaType: INDEX, manifests: [item(index, INDEX)] }),
    'empty index': await manifest(NAME, 'empty', { mediaType: INDEX, manifests: [] }),
    artifact: await manifest(NAME, 'artifact', { artifactType: 'application/x', config: EMPTY, layers: [layer] }),
    'another media type': await manifest(NAME, 'own', {
      mediaType: 'application/vnd.example+json',
      any: [1, { a: 2 }],
    }),
    '4 megabytes': await manifest(NAME, 'large', {
      config: EMPTY,
      layers: [],
      annotations: { a: 'x'.repeat(4e6 - 300) },
    }),
  }
  for (const [what, { put, bytes, digest }] of Object.entries(kinds)) {
    t.equal(put.status, 201, what)
    t.equal(put.headers.get('docker-content-digest'), digest)
    t.equal(await (await call('GET', put.headers.get('location')!)).text(), bytes, 'byte for byte')
  }
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const bytes = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: EMPTY, layers: [], a: algorithm })
    const digest = digestOf(bytes, algorithm)
    const type = { 'Content-Type': `${MANIFEST}; charset=utf-8` }
    const put = await call('PUT', at(`manifests/${digest}`), bytes, type)
    t.equal(put.status, 201, 'parameters of the type are nothing')
    t.equal(put.headers.get('docker-content-digest'), digest)
    const got = await call('GET', at(`manifests/${digest}`))
    t.equal(got.headers.get('content-type'), MANIFEST)
    t.equal(await got.text(), bytes)
    await refused(t, await call('PUT', at(`manifests/${digestOf('x', algorithm)}`), bytes, type), 400, 'DIGEST_INVALID')
  }
  const bad = await call('PUT', at('manifests/sha256:baddigeststring'), image.bytes, { 'Content-Type': MANIFEST })
  t.equal(bad.status, 400, 'neither tag nor digest')
  const longest = `a${'.b-C_'.repeat(25)}de`
  t.equal((await manifest(NAME, longest, { config: EMPTY, layers: [] })).put.status, 201, 'a tag of 128 characters')
  t.equal((await manifest(NAME, `${longest}f`, { config: EMPTY, layers: [] })).put.status, 400, 'one of 129')
  const absent = { mediaType: 'application/x', digest: digestOf('absent'), size: 6 }
  for (const document of [{ config: absent }, { layers: [absent] }, { mediaType: INDEX, manifests: [absent] }])
    await refused(t, (await manifest(NAME, 'bad', document)).put, 400, 'MANIFEST_BLOB_UNKNOWN')
  await refused(t, (await manifest(NAME, 'bad', { layers: 5 })).put, 400, 'MANIFEST_INVALID')

  // Too large: an answer, and not a connection that breaks.
  const { port } = hub.server
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const size = 6 * 2 ** 20
  socket.write(`PUT ${at('manifests/huge')} HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`)
  socket.write(Buffer.alloc(size, 'x'))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(answer.toString(), /^HTTP\/1\.1 413 /)
})

t.test('content discovery', async (t) => {
  const hub = await testHub(t)
  const { call, manifest } = hub
  await hub.blob(NAME, '{}')
  await refused(t, await call('GET', at('tags/list', 'no/where')), 404, 'NAME_UNKNOWN')
  for (const tag of ['b', 'C', 'a', 'Beta', 'z9', '1.0']) await manifest(NAME, tag, { config: EMPTY, layers: [] })
  const list = async (query = '') => {
    const response = await call('GET', at(`tags/list${query}`))
    t.equal(response.status, 200)
    const { name, tags } = (await response.json()) as { name: string; tags: string[] }
    t.equal(name, NAME)
    return { tags, next: nextOf(response) }
  }
  const sorted = ['1.0', 'a', 'b', 'Beta', 'C', 'z9']
  t.strictSame(await list(), { tags: sorted, next: undefined }, 'in alphabetical order')
  t.strictSame(await list('?n=0'), { tags: [], next: undefined })
  t.strictSame(await list('?n=100'), { tags: sorted, next: undefined })
  t.strictSame((await list('?last=b')).tags, ['Beta', 'C', 'z9'])
  t.strictSame((await list('?last=B')).tags, ['b', 'Beta', 'C', 'z9'], 'after a tag that is not there')
  t.strictSame((await list('?n=1&last=b')).tags, ['Beta'])
  const pages: string[][] = []
  for (let next: string | undefined = at('tags/list?n=4'); next !== undefined; ) {
    const response: Response = await call('GET', next)
    pages.push(((await response.json()) as { tags: string[] }).tags)
    next = nextOf(response)
  }
  t.strictSame(pages, [sorted.slice(0, 4), sorted.slice(4)])

  interface Entry {
    digest: string
    artifactType?: string
    annotations?: object
  }
  const referrers = async (path: string) => {
    const response = await call('GET', path)
    t.equal(response.status, 200)
    t.equal(response.headers.get('content-type'), INDEX)
    const document = (await response.json()) as { schemaVersion: number; mediaType: string; manifests: Entry[] }
    t.match(document, { schemaVersion: 2, mediaType: INDEX })
    return { manifests: document.manifests, filter: response.headers.get('oci-filters-applied'), response }
  }
  // What refers comes before its subject.
  const text = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: EMPTY, layers: [], a: 'subject' })
  const subject = { mediaType: MANIFEST, digest: digestOf(text), size: text.length }
  const of = at(`referrers/${subject.digest}`)
  t.strictSame((await referrers(of)).manifests, [], 'of what is not there')
  t.strictSame((await referrers(at(`referrers/${subject.digest}`, 'no/where'))).manifests, [])
  await refused(t, await call('GET', at('referrers/sha256:no')), 400, 'DIGEST_INVALID')
  const config = { ...EMPTY, mediaType: 'application/vnd.test.config' }
  const made = {
    typed: await manifest(NAME, 'r1', {
      artifactType: 'a/typed',
      config: EMPTY,
      layers: [],
      subject,
      annotations: { k: 'v' },
    }),
    byConfig: await manifest(NAME, 'r2', { config, layers: [], subject }),
    index: await manifest(NAME, 'r3', { mediaType: INDEX, manifests: [], subject }),
    typedIndex: await manifest(NAME, 'r4', { mediaType: INDEX, artifactType: 'a/typed', manifests: [], subject }),
  }
  for (const { put } of Object.values(made)) t.equal(put.headers.get('oci-subject'), subject.digest)
  t.equal((await call('PUT', at('manifests/subject'), text, { 'Content-Type': MANIFEST })).status, 201)
  const all = new Map((await referrers(of)).manifests.map((it) => [it.digest, it]))
  t.equal(all.size, 4)
  t.match(all.get(made.typed.digest), {
    mediaType: MANIFEST,
    size: made.typed.bytes.length,
    artifactType: 'a/typed',
    annotations: { k: 'v' },
  })
  t.equal(all.get(made.byConfig.digest)?.artifactType, config.mediaType, 'of the configuration, else')
  t.equal(all.get(made.index.digest)?.artifactType, undefined)
  t.equal((await referrers(of)).filter, null)
  const filtered = await referrers(`${of}?artifactType=a%2Ftyped`)
  t.equal(filtered.filter, 'artifactType')
  t.strictSame(filtered.manifests.map((it) => it.digest).sort(), [made.typed.digest, made.typedIndex.digest].sort())
  // What a client listed that knew no referrers.
  const old = await manifest(NAME, 'old', { artifactType: 'a/old', config: EMPTY, layers: [] })
  const entry = { mediaType: MANIFEST, digest: old.digest, size: old.bytes.length, artifactType: 'a/old' }
  await manifest(NAME, subject.digest.replace(':', '-'), { mediaType: INDEX, manifests: [entry] })
  t.ok(
    (await referrers(of)).manifests.some((it) => it.digest === old.digest),
    'the fallback tag',
  )
  t.equal((await call('DELETE', at(`manifests/${made.typed.digest}`))).status, 202)
  t.notOk((await referrers(of)).manifests.some((it) => it.digest === made.typed.digest))

  // More than one answer takes.
  for (let i = 0; i < 3; i++) {
    const annotations = { a: `${i}${'x'.repeat(1e6)}` }
    await manifest(NAME, `big${i}`, { artifactType: 'a/big', config: EMPTY, layers: [], subject, annotations })
  }
  const found: string[] = []
  let answers = 0
  for (let next: string | undefined = `${of}?artifactType=a/big`; next !== undefined; answers++) {
    const { manifests, filter, response } = await referrers(next)
    t.equal(filter, 'artifactType')
    found.push(...manifests.map((it) => it.digest))
    next = nextOf(response)
  }
  t.equal(answers, 2)
  t.equal(new Set(found).size, 3)
})

t.test('content management', async (t) => {
  const hub = await testHub(t)
  const { call, manifest } = hub
  await hub.blob(NAME, '{}')
  const layer = await hub.blob(NAME, 'layer')
  const image = await manifest(NAME, 'one', { config: EMPTY, layers: [layer] })
  for (const tag of ['two', 'three']) await manifest(NAME, tag, { config: EMPTY, layers: [layer] })
  t.equal((await call('DELETE', at('manifests/two'))).status, 202)
  t.equal((await call('GET', at('manifests/two'))).status, 404)
  t.equal((await call('GET', at('manifests/one'))).status, 200, 'the other tags stay')
  t.strictSame(((await (await call('GET', at('tags/list'))).json()) as { tags: string[] }).tags, ['one', 'three'])
  t.equal((await call('DELETE', at(`manifests/${image.digest}`))).status, 202)
  for (const reference of [image.digest, 'one', 'three'])
    t.equal((await call('GET', at(`manifests/${reference}`))).status, 404)
  t.strictSame(((await (await call('GET', at('tags/list'))).json()) as { tags: string[] }).tags, [])
  t.equal((await call('DELETE', at(`blobs/${layer.digest}`))).status, 202)
  t.equal((await call('GET', at(`blobs/${layer.digest}`))).status, 404)
  await refused(t, await call('DELETE', at(`blobs/${layer.digest}`)), 404, 'BLOB_UNKNOWN')
  await refused(t, await call('DELETE', at(`manifests/${image.digest}`)), 404, 'MANIFEST_UNKNOWN')
  await refused(t, await call('DELETE', at('manifests/none', 'no/where')), 404, 'MANIFEST_UNKNOWN')
  await refused(t, await call('DELETE', at('blobs/sha256:no')), 400, 'DIGEST_INVALID')
  t.match((await (await call('GET', '/v2/_catalog')).json()) as object, { repositories: [NAME] })
  for (const path of [
    '/v2/',
    '/v2/_catalog',
    at('tags/list'),
    at(`referrers/${layer.digest}`),
    '/healthz',
    '/metrics',
    '/',
  ]) {
    const [head, got] = [await call('HEAD', path), await call('GET', path)]
    t.equal(head.status, 200, `HEAD ${path}`)
    t.equal(head.headers.get('content-type'), got.headers.get('content-type'))
    t.equal(await head.text(), '')
  }
})
