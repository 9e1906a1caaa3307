import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import type { Digest } from '../../src/oci/index.js'
import { parseChallenges, RegistryClient, type RegistryOptions } from '../../src/registry/index.js'
import { parseRetryAfter } from '../../src/registry/session.js'
import { listen, startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { makeImage, sha256 } from '../helpers/oci-image.js'

interface Expected {
  code: string
  message?: RegExp
  hint?: RegExp
}

const image = makeImage({ layers: [[{ name: 'a', data: 'b' }]] })
const BIG = randomBytes(3 * 1024 * 1024)
const big = { mediaType: 'application/octet-stream', digest: sha256(BIG) as Digest, size: BIG.length }

function repositoryAt(t: Test, address: string, options: RegistryOptions = {}) {
  const client = new RegistryClient({ retry: { firstDelayMs: 5, attempts: 3 }, ...options })
  t.teardown(() => client.close())
  return client.repository({ domain: address, path: 'team/tool' })
}

/** A sink in memory. */
function memorySink(have: Buffer = Buffer.alloc(0)) {
  let chunks = [have]
  return {
    get offset() {
      return chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    },
    write: async (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk)),
    restart: async () => {
      chunks = []
    },
    bytes: () => Buffer.concat(chunks),
  }
}

t.test('challenges', async (t) => {
  t.same(parseChallenges('Bearer realm="https://a/token?x=1,2",service="s",scope="repository:a:pull,push"'), [
    { scheme: 'bearer', parameters: { realm: 'https://a/token?x=1,2', service: 's', scope: 'repository:a:pull,push' } },
  ])
  t.same(parseChallenges('Basic realm="a \\"b\\"", Bearer realm=x'), [
    { scheme: 'basic', parameters: { realm: 'a "b"' } },
    { scheme: 'bearer', parameters: { realm: 'x' } },
  ])
  t.same(parseChallenges(['Negotiate', 'Basic realm=r']), [
    { scheme: 'negotiate', parameters: {} },
    { scheme: 'basic', parameters: { realm: 'r' } },
  ])
  t.same(parseChallenges(undefined), [])
  t.same(parseChallenges('"'), [])
})

t.test('Retry-After', async (t) => {
  t.equal(parseRetryAfter('3'), 3000)
  t.ok(Math.abs(parseRetryAfter(new Date(Date.now() + 5000).toUTCString())! - 5000) < 1500)
  t.equal(parseRetryAfter('Thu, 01 Jan 1970 00:00:00 GMT'), 0)
  t.equal(parseRetryAfter('soon'), undefined)
})

t.test('passing trouble is tried again', async (t) => {
  let failures = 2
  const registry = await startScriptedRegistry(t, (_, response) => {
    if (failures-- <= 0) return false
    response.writeHead(failures === 1 ? 503 : 429, { 'retry-after': '0' }).end()
    return true
  })
  registry.add('team/tool', '1', image)
  const { digest, mediaType } = await repositoryAt(t, registry.address).getManifest('1')
  t.match({ digest, mediaType }, { digest: image.manifestDigest, mediaType: image.mediaType })
})

t.test('trouble that stays is an error that names the thing', async (t) => {
  const answers: [number, Record<string, string>, Expected][] = [
    [500, {}, { code: 'ERR_JUBAKO_REGISTRY', message: /manifest 1 of team\/tool: status 500: A: b +c/ }],
    [403, {}, { code: 'ERR_JUBAKO_UNAUTHORIZED' }],
    [401, {}, { code: 'ERR_JUBAKO_UNAUTHORIZED', hint: /login/ }],
    [404, {}, { code: 'ERR_JUBAKO_NOT_FOUND' }],
    [429, { 'retry-after': '3600' }, { code: 'ERR_JUBAKO_REGISTRY', hint: /in 3600 s/ }],
    [302, { location: 'file:///etc/passwd' }, { code: 'ERR_JUBAKO_REGISTRY', message: /redirect to file:/ }],
    [302, { location: '/v2/again' }, { code: 'ERR_JUBAKO_REGISTRY', message: /too many redirects/ }],
  ]
  for (const [status, headers, error] of answers) {
    const registry = await startScriptedRegistry(t, (_, response) => {
      response.writeHead(status, headers).end('{"errors":[{"code":"A","message":"b\\u001b c"}]}')
      return true
    })
    await t.rejects(repositoryAt(t, registry.address).getManifest('1'), error, `status ${status}`)
  }
})

t.test('nobody there', async (t) => {
  const closed = createServer()
  const address = await listen(t, closed)
  await new Promise((settle) => closed.close(settle))
  const error = { code: 'ERR_JUBAKO_NETWORK', message: new RegExp(`${address}.*connection refused`) }
  await t.rejects(repositoryAt(t, address).headManifest('1'), error)
})

t.test('a registry that says nothing, and one that stalls', async (t) => {
  const deadlines = { headersMs: 300, stallMs: 300 }
  const silent = await startScriptedRegistry(t, () => true)
  const retry = { attempts: 1 }
  await t.rejects(repositoryAt(t, silent.address, { deadlines, retry }).getManifest('1'), {
    code: 'ERR_JUBAKO_NETWORK',
  })
  const stalling = await startScriptedRegistry(t, (_, response) => {
    response.writeHead(200, { 'content-length': 1000 }).write('x')
    return true
  })
  const error = { code: 'ERR_JUBAKO_NETWORK', message: /stalled/ }
  await t.rejects(repositoryAt(t, stalling.address, { deadlines, retry }).getManifest('1'), error)
})

t.test('a download goes on where it broke off', async (t) => {
  const registry = await startScriptedRegistry(t, (request, response) => {
    if (request.headers.range !== undefined) return false
    response.writeHead(200, { 'content-length': BIG.length })
    response.write(BIG.subarray(0, 2 * 1024 * 1024), () => response.destroy())
    return true
  })
  registry.addBlob(BIG)
  const sink = memorySink()
  await repositoryAt(t, registry.address).downloadBlob(big, sink)
  t.ok(sink.bytes().equals(BIG))
  const ranges = registry.asked.map(({ range }) => range).filter((range) => range !== undefined)
  t.ok(ranges.length >= 1)
  t.not(ranges[0], 'bytes=0-')
})

t.test('a server that ignores ranges', async (t) => {
  const registry = await startScriptedRegistry(t, (_, response) => {
    response.writeHead(200, { 'content-length': BIG.length }).end(BIG)
    return true
  })
  const sink = memorySink(BIG.subarray(0, 12345))
  await repositoryAt(t, registry.address).downloadBlob(big, sink)
  t.ok(sink.bytes().equals(BIG))
})

t.test('answers to a download that cannot be right', async (t) => {
  const integrity = 'ERR_JUBAKO_INTEGRITY'
  const lies: [string, number, Record<string, string | number>, Buffer, Expected][] = [
    [
      'another length',
      200,
      { 'content-length': 5 },
      Buffer.from('hello'),
      { code: integrity, message: /sends 5 bytes/ },
    ],
    [
      'too much',
      200,
      {},
      Buffer.concat([BIG, Buffer.from('x')]),
      { code: integrity, message: /more than the expected/ },
    ],
    ['too little', 200, {}, BIG.subarray(0, 10), { code: 'ERR_JUBAKO_NETWORK', message: /cut off after 10 of/ }],
    ['encoded', 200, { 'content-encoding': 'gzip' }, BIG, { code: integrity, message: /encoded as gzip/ }],
    ['another range', 206, { 'content-range': 'bytes 9-99/100' }, BIG, { code: integrity, message: /not the range/ }],
  ]
  for (const [what, status, headers, body, error] of lies) {
    const registry = await startScriptedRegistry(t, (_, response) => {
      response.writeHead(status, headers).end(body)
      return true
    })
    await t.rejects(repositoryAt(t, registry.address).downloadBlob(big, memorySink()), error, what)
  }
})

t.test('manifests that are not what was asked for', async (t) => {
  const huge = await startScriptedRegistry(t, (_, response) => {
    response.writeHead(200).end(Buffer.alloc(5 * 1024 * 1024, ' '))
    return true
  })
  await t.rejects(repositoryAt(t, huge.address).getManifest('1'), { code: 'ERR_JUBAKO_LIMIT_EXCEEDED' })
  const lying = await startScriptedRegistry(t, (_, response) => {
    response.writeHead(200, { 'docker-content-digest': sha256('other') }).end(image.manifest)
    return true
  })
  await t.rejects(repositoryAt(t, lying.address).getManifest('1'), { code: 'ERR_JUBAKO_INTEGRITY' })
  await t.rejects(repositoryAt(t, lying.address).getManifest(sha256('x')), { code: 'ERR_JUBAKO_INTEGRITY' })
})

t.test('a bearer token by user and password, used again', async (t) => {
  const scopes: string[] = []
  const registry = await startScriptedRegistry(t, (request, response, path) => {
    if (path.startsWith('/token')) {
      scopes.push(new URL(path, 'http://x').searchParams.get('scope') ?? '')
      const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`
      response.writeHead(request.headers.authorization === basic ? 200 : 401).end('{"token":"abc","expires_in":300}')
      return true
    }
    if (request.headers.authorization === 'Bearer abc') return false
    response
      .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="s"` })
      .end()
    return true
  })
  registry.add('team/tool', '1', image)
  const repository = repositoryAt(t, registry.address, { credentials: () => ({ username: 'me', password: 'secret' }) })
  await repository.getManifest('1')
  await repository.getManifest(image.manifestDigest)
  t.same(scopes, ['repository:team/tool:pull'])
  const stranger = repositoryAt(t, registry.address, { credentials: () => ({ username: 'me', password: 'guess' }) })
  const error = await stranger.getManifest('1').catch((error: Error) => error)
  t.match(error, { code: 'ERR_JUBAKO_UNAUTHORIZED' })
  t.notMatch(String((error as Error).message), /guess/, 'no secret in a message')
})

t.test('basic authentication', async (t) => {
  const basic = `Basic ${Buffer.from('me:sécret').toString('base64')}`
  const registry = await startScriptedRegistry(t, (request, response) => {
    if (request.headers.authorization === basic) return false
    response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
    return true
  })
  registry.add('team/tool', '1', image)
  await repositoryAt(t, registry.address, { credentials: () => ({ username: 'me', password: 'sécret' }) }).getManifest(
    '1',
  )
  await t.rejects(repositoryAt(t, registry.address).getManifest('1'), { code: 'ERR_JUBAKO_UNAUTHORIZED' })
  const wrong = repositoryAt(t, registry.address, { credentials: () => ({ username: 'me', password: 'no' }) })
  const before = registry.asked.length
  await t.rejects(wrong.getManifest('1'), { code: 'ERR_JUBAKO_UNAUTHORIZED' })
  t.ok(registry.asked.length - before <= 3, 'a refused password is not tried again and again')
})

t.test('credentials stay with their origin', async (t) => {
  const storage = await startScriptedRegistry(t)
  storage.addBlob(BIG)
  const registry = await startScriptedRegistry(t, (request, response, path) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
    } else response.writeHead(307, { location: `http://${storage.address}${path}` }).end()
    return true
  })
  const repository = repositoryAt(t, registry.address, { credentials: () => ({ username: 'me', password: 'secret' }) })
  const sink = memorySink()
  await repository.downloadBlob(big, sink)
  t.ok(sink.bytes().equals(BIG))
  t.same(
    storage.asked.map(({ authorization }) => authorization),
    [undefined],
  )
})

t.test('a token server without https, elsewhere, gets no credentials', async (t) => {
  const registry = await startScriptedRegistry(t, (_, response) => {
    response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://example.invalid/token"' }).end()
    return true
  })
  const repository = repositoryAt(t, registry.address, { credentials: () => ({ username: 'me', password: 'secret' }) })
  await t.rejects(repository.getManifest('1'), { code: 'ERR_JUBAKO_REGISTRY', message: /credentials are not sent/ })
})

t.test('mirrors come first and may fail', async (t) => {
  const registry = await startScriptedRegistry(t)
  registry.add('team/tool', '1', image)
  const mirror = await startScriptedRegistry(t)
  const mirrors = { [registry.address]: [`http://${mirror.address}`] }
  const repository = repositoryAt(t, registry.address, { mirrors })
  t.equal((await repository.getManifest('1')).digest, image.manifestDigest)
  t.ok(mirror.asked.length > 0 && registry.asked.length > 0, 'both were asked')
  mirror.add('team/tool', '1', image)
  const before = registry.asked.length
  await repository.getManifest('1')
  t.equal(registry.asked.length, before)
})

t.test('an aborted request', async (t) => {
  const registry = await startScriptedRegistry(t, () => true)
  const signal = AbortSignal.timeout(100)
  await t.rejects(repositoryAt(t, registry.address).getManifest('1', { signal }), { code: 'ERR_JUBAKO_ABORTED' })
})
