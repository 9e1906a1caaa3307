// lanes: host
// The registry on the engine's own store: what is built is there, what is pushed runs, nothing is copied.
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Engine } from '../../src/index.js'
import { digestOf } from '../../src/oci/index.js'
import { temporary } from '../fixtures/hub.js'
import { busyboxImage } from '../fixtures/images.js'
import { finish, testEngine } from '../helpers/engine.js'

/** Not spawnSync: the registry is in this process. */
function skopeo(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile('skopeo', args, { timeout: 120_000 }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : 1, stdout, stderr }),
    )
  })
}

async function served(t: Test) {
  const it = await testEngine(t)
  // The engine of the package, with its faces, on the same store.
  const engine = await Engine.open({ root: it.root, runRoot: it.runRoot })
  t.teardown(() => engine.close())
  const registry = await engine.serveRegistry({ port: 0, graceMs: 0, collectEveryMs: 0 })
  const call = (method: string, path: string, body?: string, type = 'application/octet-stream') =>
    fetch(registry.url + path, {
      method,
      ...(body !== undefined && { body, headers: { 'Content-Type': type } }),
    })
  return { ...it, engine, registry, call }
}

/** Builds an image whose own layer has so many bytes of noise. */
async function build(t: Test, engine: Engine, image: string, tag: string, mebibytes: number): Promise<void> {
  const context = temporary(t)
  await engine.tag(image, 'base:1')
  const step = `dd if=/dev/urandom of=/noise bs=1M count=${mebibytes} 2>/dev/null && echo ${tag} > /word`
  writeFileSync(join(context, 'Dockerfile'), `FROM base:1\nRUN --network=none ${step}\nCMD ["cat","/word"]\n`)
  await engine.build({ context, tags: [tag] })
}

const blobs = (root: string) => readdirSync(join(root, 'blobs/sha256'))

t.test('what is built can be pulled by its tag at once, and nothing is copied', async (t) => {
  const { engine, root, image, registry, call } = await served(t)
  await build(t, engine, image, 'app:1', 8)
  const before = blobs(root)
  const tags = await (await call('GET', '/v2/app/tags/list')).json()
  t.strictSame(tags, { name: 'app', tags: ['1'] })
  const out = join(temporary(t), 'out')
  const copied = await skopeo('copy', '--src-tls-verify=false', `docker://${registry.address}/app:1`, `oci:${out}:1`)
  t.equal(copied.code, 0, copied.stderr)
  t.strictSame(blobs(root), before, 'no archive was made')

  // A part of a layer that is kept as files.
  const manifest = (await (await call('GET', '/v2/app/manifests/1')).json()) as {
    layers: { digest: string; size: number }[]
  }
  const layer = manifest.layers.at(-1)!
  t.notOk(existsSync(join(root, 'blobs/sha256', layer.digest.slice(7))))
  const whole = Buffer.from(await (await call('GET', `/v2/app/blobs/${layer.digest}`)).arrayBuffer())
  t.equal(whole.length, layer.size)
  t.equal(digestOf(whole), layer.digest)
  const range = await fetch(`${registry.url}/v2/app/blobs/${layer.digest}`, { headers: { Range: 'bytes=700-1699' } })
  t.equal(range.status, 206)
  t.ok(Buffer.from(await range.arrayBuffer()).equals(whole.subarray(700, 1700)))
  const head = await call('HEAD', `/v2/app/blobs/${layer.digest}`)
  t.equal(head.headers.get('content-length'), String(layer.size))

  // Another machine runs it.
  const other = await testEngine(t)
  const pulled = await other.engine.pull(`${registry.address}/app:1`)
  const ran = await finish(await other.engine.run(pulled.reference, [], { pull: 'never' }))
  t.equal(ran.stdout, 'app:1\n')
})

t.test('what is pushed can be run at once', async (t) => {
  const { engine, root, registry, call } = await served(t)
  const { layout } = await busyboxImage({ compression: 'zstd' })
  const name = `${registry.address}/team/box:1`
  const pushed = await skopeo('copy', '--dest-tls-verify=false', `oci:${layout}`, `docker://${name}`)
  t.equal(pushed.code, 0, pushed.stderr)
  const ran = await finish(await engine.run(name, ['echo', 'hi'], { pull: 'never' }))
  t.equal(ran.stdout, 'hi\n')

  // A collection, by whoever makes it, takes nothing away.
  await engine.removeImage(name)
  await registry.collect()
  await engine.images.prune({ all: true })
  t.equal((await call('GET', '/v2/team/box/manifests/1')).status, 200, 'it is in the registry still')
  t.equal((await engine.pull(name)).updated, true)

  // An artifact is in the registry, and no image.
  const config = '{}'
  await call('POST', `/v2/team/box/blobs/uploads/?digest=${digestOf(config)}`, config)
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const document = JSON.stringify({
    schemaVersion: 2,
    mediaType: type,
    artifactType: 'application/x',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(config), size: 2 },
    layers: [],
  })
  t.equal((await call('PUT', '/v2/team/box/manifests/art', document, type)).status, 201)
  t.equal(await (await call('GET', '/v2/team/box/manifests/art')).text(), document)
  t.notOk((await engine.images()).some(({ tags }) => tags.some((it) => it.endsWith(':art'))))

  // In use: it stays.
  const busy = await engine.create(name, ['true'])
  t.equal((await call('DELETE', '/v2/team/box/manifests/1')).status, 409)
  await busy.remove({ force: true })
  t.equal((await call('DELETE', '/v2/team/box/manifests/1')).status, 202)
  t.equal((await call('GET', '/v2/team/box/manifests/1')).status, 404)
  t.equal((await call('DELETE', `/v2/team/box/manifests/${digestOf(document)}`)).status, 202)
  await registry.collect()
  t.notOk(existsSync(join(root, 'blobs/sha256', digestOf(document).slice(7))))
})

t.test('a push from this machine into its own registry sends nothing', async (t) => {
  const { engine, root, runRoot, image, registry, call } = await served(t)
  await build(t, engine, image, 'big:1', 64)
  const name = `${registry.address}/big:1`
  await engine.tag('big:1', name)
  const before = blobs(root)
  // Another engine, as the command line is one.
  const pusher = await Engine.open({ root, runRoot })
  t.teardown(() => pusher.close())
  const lines: string[] = []
  const times: number[] = []
  let digest = ''
  for (let i = 0; i < 5; i++) {
    const started = performance.now()
    const [pushed] = await pusher.push(name, { onProgress: ({ id, status }) => lines.push(`${id} ${status}`) })
    times.push(performance.now() - started)
    digest = pushed!.digest
  }
  t.comment(`${times.map((it) => it.toFixed(1)).join(' ')} ms`)
  t.ok(Math.min(...times) < 20, `${Math.min(...times)} ms`)
  t.equal((await call('GET', '/v2/big/manifests/1')).headers.get('docker-content-digest'), digest)
  t.ok(lines.some((it) => it.includes('Layer already exists')))
  t.strictSame(blobs(root), before)
  await t.rejects(pusher.push(`${registry.address}/none:1`), { code: 'ERR_JUBAKO_NOT_FOUND' })

  // When nobody serves any more it is a registry like any other: not there.
  await registry.close()
  await t.rejects(pusher.push(name), { code: 'ERR_JUBAKO_NETWORK' })
})
