// lanes: host
// What hostile, slow and broken clients get from the registry: the specification's status, bounded memory, no crash.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { RegistryOptions } from '../../src/hub/index.js'
import { digestOf } from '../../src/oci/index.js'
import { INDEX, temporary, testHub } from '../fixtures/hub.js'
import { JUBAKO } from '../helpers/cli.js'

interface Process {
  child: ChildProcessWithoutNullStreams
  url: string
  port: number
  /** Most memory that it ever had, in bytes. */
  peak(): number
}

/** A registry in a process of its own, so that its memory can be measured and it can be killed. */
function hubProcess(t: Test, options: Partial<RegistryOptions> = {}): Promise<Process> {
  const module = new URL('../../src/hub/index.js', import.meta.url).href
  const all = JSON.stringify({ root: temporary(t), port: 0, ...options })
  const script = `import('${module}').then(async ({ serveRegistry }) => console.log((await serveRegistry(${all})).url))`
  return ready(t, process.execPath, ['-e', script])
}

/** Starts a program that prints the URL at which it serves. */
async function ready(t: Test, program: string, words: readonly string[]): Promise<Process> {
  const child = spawn(program, words)
  t.teardown(() => child.kill('SIGKILL'))
  child.stderr.pipe(process.stderr)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const url = /http:\S+/.exec(line.toString())![0]
  const peak = () => {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024
  }
  return { child, url, port: Number(new URL(url).port), peak }
}

/** Sends raw bytes and gives the first line of the answer; empty when the connection is closed without one. */
async function raw(t: Test, port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(text)
  let answer = ''
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1')
    if (answer.includes('\r\n\r\n')) socket.destroy()
  })
  await once(socket, 'close')
  return answer.split('\r\n', 1)[0]!
}

const MIB = 2 ** 20

t.test('smuggled and malformed requests', async (t) => {
  const { server, blob } = await testHub(t)
  const post = 'POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n'
  for (const [what, text] of [
    ['two lengths', `${post}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`],
    ['a length and an encoding', `${post}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['an encoding twice', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`],
    ['a length that is none', `${post}Content-Length: 1x\r\n\r\nx`],
    ['a chunk size that is none', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['a folded header', `${post}X: a\r\n b\r\nContent-Length : 1\r\n\r\nx`],
    ['no HTTP', 'hello\r\n\r\n'],
    ['a long header', `${post}X: ${'a'.repeat(100_000)}\r\n\r\n`],
    ['no host', 'GET /v2/ HTTP/1.1\r\n\r\n'],
  ] as const) {
    t.match(await raw(t, server.port, text), /^HTTP\/1\.1 4\d\d /, what)
  }
  t.match(await raw(t, server.port, 'GET /v2/%zz/tags/list HTTP/1.1\r\nHost: x\r\n\r\n'), / 400 /)
  t.match(await raw(t, server.port, 'GET //evil/v2/ HTTP/1.1\r\nHost: x\r\n\r\n'), / 404 /)
  t.equal((await blob('a', 'still here')).size, 10)
})

t.test('memory whatever the size, and endless bodies', async (t) => {
  const most = `${1001 * 1e6}b`
  const hub = await ready(t, JUBAKO, [
    ...['registry', 'serve', '--addr', '127.0.0.1:0', '--access-log', 'none'],
    ...['--root', temporary(t), '--max-blob', most],
  ])
  const piece = randomBytes(1e6)
  const digestOfPieces = (count: number, first: string) => {
    const hash = createHash('sha256').update(first)
    for (let i = 0; i < count; i++) hash.update(piece)
    return `sha256:${hash.digest('hex')}`
  }
  const pieces = (count: number, first: string) =>
    new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.from(first)),
      pull(controller) {
        if (count-- > 0) controller.enqueue(piece)
        else controller.close()
      },
    })
  const send = (path: string, count: number, method = 'POST', headers: Record<string, string> = {}, first = 'x') =>
    fetch(`${hub.url}${path}`, { method, headers, body: pieces(count, first), duplex: 'half' } as RequestInit).catch(
      () => undefined,
    )
  /** A blob of so many megabytes goes in and out. */
  const through = async (count: number, name: string) => {
    const digest = digestOfPieces(count, name)
    const put = await send(`/v2/${name}/blobs/uploads/?digest=${digest}`, count, 'POST', {}, name)
    t.equal(put?.status, 201)
    const got = await fetch(`${hub.url}/v2/${name}/blobs/${digest}`)
    let bytes = 0
    for await (const chunk of got.body as unknown as AsyncIterable<Uint8Array>) bytes += chunk.length
    t.equal(bytes, count * 1e6 + name.length)
  }
  const peak = (what: string, limit: number) => {
    const now = hub.peak()
    t.ok(now <= limit, `at most ${limit / 1e6} MB of memory for ${what}: ${(now / 1e6).toFixed(1)}`)
  }
  await through(1000, 'a')
  peak('a blob of 1 GB', 1e8)
  await Promise.all(Array.from({ length: 16 }, (_, i) => through(10, `on/connection${i}`)))
  peak('16 connections', 1e8)

  // Bodies that do not end are cut at the limit.
  const endless = await send(`/v2/a/blobs/uploads/?digest=${digestOf('x')}`, 100_000)
  t.ok(endless === undefined || endless.status === 413, 'a blob')
  const document = await send('/v2/a/manifests/x', 100_000, 'PUT', { 'Content-Type': 'application/json' })
  t.ok(document === undefined || document.status === 413, 'a manifest')
  const form = await send('/token', 100_000)
  t.ok(form === undefined || form.status === 413, 'a form')
  peak('an endless body', 1e8)
  const many = await Promise.all(Array.from({ length: 40 }, () => send('/v2/a/manifests/x', 4, 'PUT')))
  for (const it of many) t.ok(it === undefined || [400, 413, 429].includes(it.status))
  t.equal((await fetch(`${hub.url}/healthz`)).status, 200)
  peak('40 manifests that are too large', 2e8)
})

t.test('500 connections', async (t) => {
  const hub = await hubProcess(t)
  const idle: Socket[] = []
  t.teardown(() => {
    for (const socket of idle) socket.destroy()
  })
  for (let i = 0; i < 500; i++) {
    const socket = connect(hub.port, '127.0.0.1')
    socket.on('error', () => {})
    idle.push(socket)
    await once(socket, 'connect')
    // Half a request each.
    socket.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n')
  }
  t.equal((await fetch(`${hub.url}/v2/`)).status, 200)
  const answers = idle.map(async (socket) => {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    return chunk.toString().startsWith('HTTP/1.1 200')
  })
  for (const socket of idle) socket.write('\r\n')
  t.ok((await Promise.all(answers)).every(Boolean), 'all of them are answered')
  t.ok(hub.peak() < 200 * MIB)
})

t.test('slow writers and readers are cut off', async (t) => {
  const slow = await hubProcess(t, { minBytesPerSecond: 500_000, paceMs: 2000 })
  const big = Buffer.alloc(64 * MIB)
  const digest = digestOf(big)
  const put = await fetch(`${slow.url}/v2/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: big })
  t.equal(put.status, 201)
  const reader = connect(slow.port, '127.0.0.1')
  const writer = connect(slow.port, '127.0.0.1')
  for (const socket of [reader, writer]) socket.on('error', () => {})
  reader.write(`GET /v2/a/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await once(reader, 'readable')
  writer.write(`POST /v2/a/blobs/uploads/?digest=${digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`)
  writer.resume()
  const trickle = setInterval(() => writer.write('x'), 500)
  await once(writer, 'close')
  clearInterval(trickle)
  const connections = async () => {
    const text = await (await fetch(`${slow.url}/metrics`)).text()
    return Number(/^jubako_registry_connections (\d+)$/m.exec(text)?.[1])
  }
  // Only ours is left then.
  for (let i = 0; i < 300 && (await connections()) > 1; i++) await new Promise((done) => setTimeout(done, 100))
  // What the kernel still holds comes first, then the end.
  reader.resume()
  await once(reader, 'close')
  t.ok(reader.bytesRead < big.length, `${reader.bytesRead} bytes`)
  t.equal((await fetch(`${slow.url}/healthz`)).status, 200)
})

t.test('an upload that is cut is not visible, and goes on', async (t) => {
  const { server, call, root } = await testHub(t)
  const half = randomBytes(MIB)
  const whole = Buffer.concat([half, half])
  const place = (await call('POST', '/v2/a/blobs/uploads/')).headers.get('location') as string
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`PATCH ${place} HTTP/1.1\r\nHost: x\r\nContent-Length: ${whole.length}\r\n\r\n`)
  socket.write(half)
  let range = ''
  for (let i = 0; i < 600 && range !== `0-${MIB - 1}`; i++) {
    await new Promise((done) => setTimeout(done, 50))
    range = (await call('GET', place)).headers.get('range') as string
  }
  socket.destroy()
  t.equal(range, `0-${MIB - 1}`, 'what had arrived stays')
  t.strictSame(readdirSync(join(root, 'blobs/sha256')), [])
  const digest = digestOf(whole)
  // The connection may still be being given up.
  let put = await call('PUT', `${place}?digest=${digest}`, half)
  for (let i = 0; i < 100 && put.status === 416; i++) {
    await new Promise((done) => setTimeout(done, 50))
    put = await call('PUT', `${place}?digest=${digest}`, half)
  }
  t.equal(put.status, 201)
  t.equal((await call('HEAD', `/v2/a/blobs/${digest}`)).headers.get('content-length'), String(whole.length))
})

t.test('uploads in flight, quota, and garbage', async (t) => {
  const hub = await testHub(t, { maxUploads: 2, quotaBytes: 100_000, graceMs: 60_000, collectEveryMs: 0 })
  const { call, code, blob, manifest, server, root } = hub
  const places = await Promise.all([1, 2].map(() => call('POST', '/v2/a/blobs/uploads/')))
  const third = await call('POST', '/v2/a/blobs/uploads/')
  t.equal(third.headers.get('retry-after'), '30')
  t.strictSame(await code(third), [429, 'TOOMANYREQUESTS'])
  for (const it of places) await call('DELETE', it.headers.get('location') as string)

  const kept = await blob('a', randomBytes(40_000))
  const config = await blob('a', '{}')
  const image = await manifest('a', 'v1', { config, layers: [kept] })
  t.equal(image.put.status, 201)
  const cached = await blob('a', 'a layer that only an index names')
  t.equal((await manifest('a', 'cache', { mediaType: INDEX, manifests: [cached] })).put.status, 201)
  const loose = await blob('a', randomBytes(40_000))
  const more = randomBytes(30_000)
  t.strictSame(await code(await call('POST', `/v2/a/blobs/uploads/?digest=${digestOf(more)}`, more)), [403, 'DENIED'])
  const place = (await call('POST', '/v2/a/blobs/uploads/')).headers.get('location') as string
  const chunked = await call('PATCH', place, more).catch(() => undefined)
  t.ok(chunked === undefined || chunked.status === 403, 'also when it is not said beforehand')

  // Nothing is garbage before its time.
  t.match(await server.collect(), { blobs: 0 })
  t.equal((await call('HEAD', `/v2/a/blobs/${loose.digest}`)).status, 200)
  await call('POST', '/v2/a/blobs/uploads/')
  await server.close()

  const again = await testHub(t, { root, graceMs: 1, quotaBytes: 100_000 })
  await new Promise((done) => setTimeout(done, 20))
  // While it serves: pushes go on.
  const busy = (async () => {
    for (let i = 0; i < 20; i++) {
      const layer = await again.blob('b', `layer ${i}`)
      const put = await again.manifest('b', `t${i}`, { config: await again.blob('b', '{}'), layers: [layer] })
      // Its time is a millisecond here: what was collected in between is missed, and said.
      if (put.put.status !== 201) t.strictSame(await again.code(put.put), [400, 'MANIFEST_BLOB_UNKNOWN'])
    }
  })()
  const collected = await again.server.collect()
  await busy
  t.ok(collected.blobs >= 1 && collected.bytes >= 40_000, JSON.stringify(collected))
  t.equal(collected.uploads, 1)
  t.equal((await again.call('HEAD', `/v2/a/blobs/${loose.digest}`)).status, 404)
  for (const { digest } of [kept, cached]) t.equal((await again.call('HEAD', `/v2/a/blobs/${digest}`)).status, 200)
  t.equal(
    (await again.call('POST', `/v2/a/blobs/uploads/?digest=${digestOf(more)}`, more)).status,
    201,
    'there is room',
  )
  // A tag that goes leaves its manifest; a manifest that goes leaves its blobs for the collection.
  await again.call('DELETE', `/v2/a/manifests/${image.digest}`)
  const links = join(root, 'repositories/a/blobs')
  for (const name of readdirSync(links)) utimesSync(join(links, name), 1, 1)
  await again.server.collect()
  t.equal((await again.call('HEAD', `/v2/a/blobs/${kept.digest}`)).status, 404)
  const text = await (await again.call('GET', '/metrics')).text()
  t.match(text, /jubako_registry_collections_total 2/)
  t.match(text, /jubako_registry_requests_total\{method="POST",code="201"\} \d+/)
})

t.test('kill -9 in the middle of pushes', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'jubako-hub-kill-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const said = new Map<string, string>()
  for (let round = 0; round < 3; round++) {
    const hub = await hubProcess(t, { root })
    let stopped = false
    const work = Array.from({ length: 4 }, async (_, lane) => {
      for (let i = 0; !stopped; i++) {
        try {
          const bytes = randomBytes(50_000)
          const digest = digestOf(bytes)
          const name = `lane${lane}`
          const put = await fetch(`${hub.url}/v2/${name}/blobs/uploads/?digest=${digest}`, {
            method: 'POST',
            body: bytes,
          })
          if (put.status !== 201) continue
          said.set(digest, `/v2/${name}/blobs/${digest}`)
          const layers = [{ mediaType: 'application/octet-stream', digest, size: bytes.length }]
          const document = JSON.stringify({ schemaVersion: 2, layers })
          const tag = `r${round}-${i}`
          const tagged = await fetch(`${hub.url}/v2/${name}/manifests/${tag}`, { method: 'PUT', body: document })
          if (tagged.status === 201) said.set(`${name} ${tag}`, `/v2/${name}/manifests/${tag}`)
        } catch {
          return
        }
      }
    })
    await new Promise((done) => setTimeout(done, 400))
    hub.child.kill('SIGKILL')
    await once(hub.child, 'exit')
    stopped = true
    await Promise.all(work)
  }
  const hub = await hubProcess(t, { root })
  t.ok(said.size > 20, `${said.size} things were acknowledged`)
  for (const [what, path] of said) {
    const response = await fetch(hub.url + path)
    const bytes = Buffer.from(await response.arrayBuffer())
    if (response.status !== 200 || (what.startsWith('sha256:') && digestOf(bytes) !== what))
      t.fail(`${what} is not there`)
  }
})
