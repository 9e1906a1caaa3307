import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import type { Digest } from '../../src/oci/index.js'
import { RegistryClient, type RegistryOptions } from '../../src/registry/index.js'
import { type Fault, startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { sha256 } from '../helpers/oci-image.js'

const BYTES = randomBytes(5 * 1024 * 1024)
const blob = { mediaType: 'application/octet-stream', digest: sha256(BYTES) as Digest, size: BYTES.length }
const source = (start: number, end: number) => Readable.from(pieces(BYTES.subarray(start, end)))

function* pieces(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536)
}

async function begin(t: Test, fault?: Fault, options: RegistryOptions = {}) {
  const registry = await startScriptedRegistry(t, fault)
  const client = new RegistryClient({ retry: { firstDelayMs: 5, attempts: 3 }, ...options })
  t.teardown(() => client.close())
  const repository = client.repository({ domain: registry.address, path: 'team/tool' })
  const sent = () =>
    registry.asked.map(({ method, path }) => `${method} ${path.replace(/.*\/(uploads\/|blobs\/).*/, '$1')}`)
  return { registry, repository, sent }
}

t.test('a blob goes in one request, once', async (t) => {
  const { repository, sent } = await begin(t)
  const counts: number[] = []
  const onProgress = (bytes: number) => void counts.push(bytes)
  t.equal(await repository.pushBlob(blob, source, { onProgress }), 'uploaded')
  t.equal(counts.at(-1), BYTES.length)
  t.strictSame(sent(), ['HEAD blobs/', 'POST uploads/', 'PUT uploads/'])
  t.equal(await repository.pushBlob(blob, source), 'present')
  t.equal(sent().length, 4, 'one request for what is there')
  const empty = { ...blob, digest: sha256('') as Digest, size: 0 }
  t.equal(await repository.pushBlob(empty, () => Readable.from([])), 'uploaded')
})

t.test('in chunks', async (t) => {
  const { repository, sent } = await begin(t)
  t.equal(await repository.pushBlob(blob, source, { chunkBytes: 2 * 1024 * 1024 }), 'uploaded')
  t.strictSame(sent().slice(1), ['POST uploads/', ...Array(3).fill('PATCH uploads/'), 'PUT uploads/'])
})

t.test('a registry that takes no large requests gets chunks', async (t) => {
  const { repository, registry } = await begin(t, (request, response) => {
    if (request.method !== 'PUT' || Number(request.headers['content-length'] ?? 0) === 0) return false
    request.resume()
    response.writeHead(413).end()
    return true
  })
  t.equal(await repository.pushBlob(blob, source), 'uploaded')
  t.ok(registry.asked.some(({ method }) => method === 'PATCH'))
})

t.test('a mount from another repository', async (t) => {
  const { repository, registry, sent } = await begin(t)
  t.equal(await repository.pushBlob(blob, source, { mountFrom: 'other/tool' }), 'uploaded', 'which lacks it')
  const fresh = await begin(t, (request, response, path) => {
    if (request.method !== 'POST' || !path.includes('from=other%2Ftool')) return false
    response.writeHead(201, { location: '/' }).end()
    return true
  })
  t.equal(await fresh.repository.pushBlob(blob, source, { mountFrom: 'other/tool' }), 'mounted')
  t.strictSame(fresh.sent(), ['HEAD blobs/', 'POST uploads/'])
  t.match(registry.asked[1]!.path, /mount=sha256.*&from=other%2Ftool/)
  t.equal(sent().length, 3)
})

t.test('what breaks off goes on where the registry stopped', async (t) => {
  let cut = false
  const { repository, registry } = await begin(t, (request) => {
    if (request.method !== 'PUT' || cut) return false
    cut = true
    let seen = 0
    request.on('data', (chunk: Buffer) => {
      seen += chunk.length
      if (seen > BYTES.length / 2) request.socket.destroy()
    })
    return false
  })
  t.equal(await repository.pushBlob(blob, source), 'uploaded')
  const patch = registry.asked.find(({ method }) => method === 'PATCH')!
  const start = Number(/^(\d+)-/.exec(patch.contentRange ?? '')?.[1])
  t.ok(start > BYTES.length / 4 && start < BYTES.length, `went on at ${start}`)
  t.equal(registry.asked.filter(({ method }) => method === 'POST').length, 1, 'in the same upload')
})

t.test('an upload that the registry has forgotten begins anew', async (t) => {
  let cut = false
  const { repository, registry } = await begin(t, (request, response) => {
    if (request.method === 'GET') {
      response.writeHead(404).end()
      return true
    }
    if (request.method !== 'PUT' || cut) return false
    cut = true
    request.once('data', () => request.socket.destroy())
    return true
  })
  t.equal(await repository.pushBlob(blob, source), 'uploaded')
  t.equal(registry.asked.filter(({ method }) => method === 'POST').length, 2)
})

t.test('trouble that stays', async (t) => {
  const broken = await begin(t, (request) => {
    if (request.method !== 'PUT') return false
    request.socket.destroy()
    return true
  })
  await t.rejects(broken.repository.pushBlob(blob, source), {
    code: 'ERR_JUBAKO_NETWORK',
    message: new RegExp(`registry ${broken.registry.address}: blob ${blob.digest} of team/tool`),
  })
  const wrong = await begin(t)
  const other = { ...blob, digest: sha256('x') as Digest }
  await t.rejects(wrong.repository.pushBlob(other, source), { code: 'ERR_JUBAKO_REGISTRY', message: /DIGEST_INVALID/ })
  const nowhere = await begin(t, (request, response) => {
    if (request.method !== 'POST') return false
    response.writeHead(202).end()
    return true
  })
  await t.rejects(nowhere.repository.pushBlob(blob, source), {
    code: 'ERR_JUBAKO_REGISTRY',
    message: /no upload location/,
  })
  const readOnly = await begin(t, (request, response) => {
    if (request.method !== 'POST') return false
    response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"read only"}]}')
    return true
  })
  await t.rejects(readOnly.repository.pushBlob(blob, source), { code: 'ERR_JUBAKO_UNAUTHORIZED', message: /read only/ })
})

t.test('a registry that stops reading', async (t) => {
  const { repository } = await begin(t, (request) => request.method === 'PUT', {
    deadlines: { stallMs: 300 },
    retry: { attempts: 1 },
  })
  const large = randomBytes(32 * 1024 * 1024)
  const descriptor = { ...blob, digest: sha256(large) as Digest, size: large.length }
  await t.rejects(
    repository.pushBlob(descriptor, (start, end) => Readable.from(pieces(large.subarray(start, end)))),
    { code: 'ERR_JUBAKO_NETWORK', message: /takes nothing any more/ },
  )
})

t.test('an upload that is stopped', async (t) => {
  const stop = new AbortController()
  const { repository } = await begin(t, (request) => {
    if (request.method !== 'PUT') return false
    request.once('data', () => stop.abort())
    return true
  })
  await t.rejects(repository.pushBlob(blob, source, { signal: stop.signal }), { code: 'ERR_JUBAKO_ABORTED' })
})

t.test('no credentials go where an upload location leads', async (t) => {
  const elsewhere = await startScriptedRegistry(t, (request, response) => {
    request.resume().on('end', () => response.writeHead(201).end())
    return true
  })
  const { repository } = await begin(
    t,
    (request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
        return true
      }
      if (request.method !== 'POST') return false
      response.writeHead(202, { location: `http://${elsewhere.address}/upload` }).end()
      return true
    },
    { credentials: () => ({ username: 'me', password: 's3cret' }) },
  )
  t.equal(await repository.pushBlob(blob, source), 'uploaded')
  t.strictSame(
    elsewhere.asked.map(({ method, authorization }) => [method, authorization]),
    [['PUT', undefined]],
  )
})
