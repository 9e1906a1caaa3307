// lanes: host
// Every way in which a registry may fail or lie, each with its outcome. Nothing of it stays, and the next pull is whole.
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { unpackLayer } from '../../src/archive/index.js'
import { type Fault, startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { testStore } from '../helpers/image-store.js'
import { makeImage, makeIndex, sha256, tarOf } from '../helpers/oci-image.js'

const INDEX = 'application/vnd.oci.image.index.v1+json'
const image = makeImage({ layers: [[{ name: 'a', data: randomBytes(300_000) }], [{ name: 'b', data: '2' }]] })
const layer = image.layers[0]!
const bytes = image.blobs.get(layer.digest)!
const manifest = JSON.parse(image.manifest.toString())

const isLayer = (path: string) => path.endsWith(layer.digest)
const isManifest = (path: string) => path.includes('/manifests/')

/** Sends without end, until the other side has enough. */
function pour(response: ServerResponse, chunk: Buffer): void {
  response.on('error', () => undefined)
  const more = () => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more)
  }
  more()
}

const document = (value: unknown, mediaType = image.mediaType): Fault =>
  raw(Buffer.from(JSON.stringify(value)), mediaType)
const raw =
  (body: Buffer, mediaType = image.mediaType): Fault =>
  (request, response, path) => {
    if (!isManifest(path)) return false
    response.writeHead(200, { 'content-type': mediaType, 'content-length': body.length })
    response.end(request.method === 'HEAD' ? undefined : body)
    return true
  }
const answer =
  (when: (path: string) => boolean, status: number, headers: Record<string, string> = {}): Fault =>
  (request, response, path) => {
    if (!when(path)) return false
    request.resume()
    response.writeHead(status, headers).end('{"errors":[{"code":"TROUBLE","message":"of its own"}]}')
    return true
  }
const body =
  (length: number | undefined, send: (response: ServerResponse) => void): Fault =>
  (_, response, path) => {
    if (!isLayer(path)) return false
    response.writeHead(200, length === undefined ? {} : { 'content-length': length })
    send(response)
    return true
  }

interface Case {
  fault: Fault
  code: string
  /** What the message tells besides registry and repository. */
  tells: RegExp
  /** The message names the layer. */
  namesLayer?: boolean
}

const cases: Record<string, Case> = {
  'a body that is cut off': {
    fault: body(bytes.length, (response) => response.write(bytes.subarray(0, 1000), () => response.destroy())),
    code: 'ERR_JUBAKO_NETWORK',
    tells: /connection closed by peer|cut off/,
    namesLayer: true,
  },
  'other content': {
    fault: body(bytes.length, (response) => void response.end(randomBytes(bytes.length))),
    code: 'ERR_JUBAKO_INTEGRITY',
    tells: /content does not match its digest/,
    namesLayer: true,
  },
  'another length': {
    fault: body(bytes.length + 1, (response) => void response.end(Buffer.concat([bytes, Buffer.alloc(1)]))),
    code: 'ERR_JUBAKO_INTEGRITY',
    tells: /sends \d+ bytes, expected \d+/,
    namesLayer: true,
  },
  'a body without end': {
    fault: body(undefined, (response) => pour(response, bytes)),
    code: 'ERR_JUBAKO_INTEGRITY',
    tells: /sends more than the expected \d+ bytes/,
    namesLayer: true,
  },
  'a body that stalls': {
    fault: body(bytes.length, (response) => void response.write(bytes.subarray(0, 10))),
    code: 'ERR_JUBAKO_NETWORK',
    tells: /the answer stalled/,
    namesLayer: true,
  },
  'the right length, recoded on the way': {
    fault: (_, response, path) => {
      if (!isLayer(path)) return false
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bytes)
      return true
    },
    code: 'ERR_JUBAKO_INTEGRITY',
    tells: /content is encoded as gzip/,
    namesLayer: true,
  },
  '401 again and again': {
    fault: answer(isManifest, 401, { 'www-authenticate': 'Basic realm="r"' }),
    code: 'ERR_JUBAKO_UNAUTHORIZED',
    tells: /pull access denied for .*team\/tool.*status 401/,
  },
  '429 with a long Retry-After': {
    fault: answer(isManifest, 429, { 'retry-after': '3600' }),
    code: 'ERR_JUBAKO_REGISTRY',
    tells: /status 429/,
  },
  '500 for a layer': {
    fault: answer(isLayer, 500),
    code: 'ERR_JUBAKO_REGISTRY',
    tells: /status 500: TROUBLE: of its own/,
    namesLayer: true,
  },
  'a reset': {
    fault: (request, _, path) => {
      if (!isLayer(path)) return false
      request.socket.resetAndDestroy()
      return true
    },
    code: 'ERR_JUBAKO_NETWORK',
    tells: /connection (reset|closed) by peer/,
    namesLayer: true,
  },
  'redirects in a circle': {
    fault: (_, response, path) => {
      if (!isLayer(path)) return false
      response.writeHead(307, { location: path }).end()
      return true
    },
    code: 'ERR_JUBAKO_REGISTRY',
    tells: /too many redirects/,
    namesLayer: true,
  },
  'bad JSON': { fault: raw(Buffer.from('{"schemaVersion":2,')), code: 'ERR_JUBAKO_INTEGRITY', tells: /not valid JSON/ },
  'JSON nested without end': {
    fault: raw(
      Buffer.from(`{"schemaVersion":2,"config":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)},"layers":[]}`),
    ),
    code: 'ERR_JUBAKO_LIMIT_EXCEEDED',
    tells: /nested too deeply/,
  },
  'a document larger than any': {
    fault: (_, response, path) => {
      if (!isManifest(path)) return false
      response.writeHead(200, { 'content-type': image.mediaType })
      pour(response, Buffer.alloc(65536, ' '))
      return true
    },
    code: 'ERR_JUBAKO_LIMIT_EXCEEDED',
    tells: /larger than \d+ bytes/,
  },
  'more layers than can be mounted': {
    fault: document({ ...manifest, layers: Array(501).fill(manifest.layers[0]) }),
    code: 'ERR_JUBAKO_LIMIT_EXCEEDED',
    tells: /more than 500/,
  },
  'a manifest that calls itself an index': {
    fault: document({ ...manifest, mediaType: INDEX }, INDEX),
    code: 'ERR_JUBAKO_INTEGRITY',
    tells: /is not the type of an? manifest/,
  },
  'a manifest of schema 1': {
    fault: document({ schemaVersion: 1, fsLayers: [] }, 'application/vnd.docker.distribution.manifest.v1+json'),
    code: 'ERR_JUBAKO_UNSUPPORTED',
    tells: /schema 1 is not supported/,
  },
  'manifest and index at once': {
    fault: document({ ...manifest, manifests: [] }),
    code: 'ERR_JUBAKO_INTEGRITY',
    tells: /ambiguous document/,
  },
  'an index without our platform': {
    fault: raw(makeIndex([{ image, architecture: 's390x' }]), INDEX),
    code: 'ERR_JUBAKO_NOT_FOUND',
    tells: /no matching manifest for linux\/\w+ in the manifest list entries/,
  },
}

const kept = (root: string, directory: string) => readdirSync(join(root, directory))

for (const [name, { fault, code, tells, namesLayer }] of Object.entries(cases)) {
  t.test(name, async (t) => {
    let broken = true
    const registry = await startScriptedRegistry(t, (...asked) => broken && fault(...asked))
    registry.add('team/tool', '1', image)
    const { root, store } = testStore(t, {
      registry: { retry: { firstDelayMs: 5, attempts: 2 }, deadlines: { stallMs: 300, headersMs: 5000 } },
    })
    const reference = `${registry.address}/team/tool:1`
    const error = await store.pull(reference).catch((error) => error)
    t.match(error, { code, message: tells })
    t.match(error.message, registry.address, 'names the registry')
    t.match(error.message, 'team/tool', 'and the repository')
    if (namesLayer) t.match(error.message, layer.digest, 'and the content')
    t.ok(registry.asked.length < 20, `${registry.asked.length} requests`)

    await store.collect()
    t.strictSame(store.list(), [])
    for (const directory of ['layers', 'trash', 'images', 'blobs/sha256']) {
      t.strictSame(kept(root, directory), [], directory)
    }
    t.strictSame(
      kept(root, 'leases').filter((file) => file.endsWith('.lease')),
      [],
    )
    // What was cut off may go on: a part by its digest, which no reader sees.
    const parts = new Set(image.layers.map(({ digest }) => digest.replace(':', '-')))
    t.ok(kept(root, 'ingest').every((file) => parts.has(file)))

    broken = false
    t.equal((await store.pull(reference)).imageId, image.imageId, 'the next pull is whole')
    t.strictSame(kept(root, 'ingest'), [])
  })
}

t.test('trouble that passes does not show', async (t) => {
  const faults = [
    answer(isManifest, 429, { 'retry-after': '0' }),
    answer(isManifest, 503),
    answer(isLayer, 500),
    cases['a body that is cut off']!.fault,
    cases['a reset']!.fault,
  ]
  const registry = await startScriptedRegistry(t, (request, response, path) => {
    const at = faults.findIndex((fault) => fault(request, response, path))
    if (at >= 0) faults.splice(at, 1)
    return at >= 0
  })
  registry.add('team/tool', '1', image)
  const { store } = testStore(t)
  t.equal((await store.pull(`${registry.address}/team/tool:1`)).imageId, image.imageId)
  t.strictSame(faults, [])
})

t.test('a redirect elsewhere gets no credentials, and may not ask for them', async (t) => {
  const elsewhere = await startScriptedRegistry(
    t,
    answer(() => true, 401, { 'www-authenticate': 'Basic realm="r"' }),
  )
  const registry = await startScriptedRegistry(t, (request, response, path) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      return true
    }
    if (!isLayer(path)) return false
    response.writeHead(307, { location: `http://user:secret@${elsewhere.address}${path}` }).end()
    return true
  })
  registry.add('team/tool', '1', image)
  const { store } = testStore(t, { registry: { retry: { attempts: 1 } } })
  const auth = { username: 'me', password: 's3cret' }
  const error = await store.pull(`${registry.address}/team/tool:1`, { auth }).catch((error) => error)
  t.match(error, { code: 'ERR_JUBAKO_UNAUTHORIZED' })
  for (let at = error; at instanceof Error; at = at.cause as Error) {
    t.notMatch(`${at.message}${at.stack}`, /s3cret|secret@|bWU6czNjcmV0/)
  }
  t.ok(elsewhere.asked.length > 0)
  t.ok(elsewhere.asked.every(({ authorization }) => authorization === undefined))
})

t.test('a layer that unpacks to too much', async (t) => {
  const bomb = gzipSync(tarOf([{ name: 'zeros', data: Buffer.alloc(8 * 1024 * 1024) }]))
  const made = makeImage({ layers: [[{ name: 'a', data: 'b' }]] })
  const registry = await startScriptedRegistry(t)
  const digest = sha256(bomb)
  const document = JSON.parse(made.manifest.toString())
  document.layers[0] = { ...document.layers[0], digest, size: bomb.length }
  registry.add('team/tool', 'unused', made)
  registry.addBlob(bomb)
  registry.addManifest('team/tool', '1', Buffer.from(JSON.stringify(document)), made.mediaType)
  const unpacker = {
    unpack: (request: Parameters<typeof unpackLayer>[0]) =>
      unpackLayer({ ...request, limits: { ratioFloor: 1024 * 1024 } }),
  }
  const { root, store } = testStore(t, { unpacker })
  await t.rejects(store.pull(`${registry.address}/team/tool:1`), {
    code: 'ERR_JUBAKO_LIMIT_EXCEEDED',
    message: new RegExp(`${registry.address}/team/tool:1: layer ${digest}: cannot unpack`),
  })
  await store.collect()
  for (const directory of ['layers', 'trash', 'images', 'blobs/sha256', 'ingest']) {
    t.strictSame(kept(root, directory), [], directory)
  }
})
