// lanes: host
// Images as archives: out and in again, in the forms of others; root file systems in; the history.
import { execFileSync } from 'node:child_process'
import { createReadStream, createWriteStream, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { layeredImage } from '../fixtures/images.js'
import { listen, startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { finish, testEngine } from '../helpers/engine.js'
import { temporaryDirectory, testStore } from '../helpers/image-store.js'
import { makeImage, makeIndex, sha256, tarOf } from '../helpers/oci-image.js'
import { tool } from '../helpers/processes.js'

const INDEX = 'application/vnd.oci.image.index.v1+json'
const HERE = process.arch === 'x64' ? 'amd64' : process.arch
const image = makeImage({ layers: [[{ name: 'a', data: '1' }], [{ name: 'b', data: '2' }]] })
const elsewhere = makeImage({ layers: [[{ name: 'a', data: '3' }]], architecture: 's390x' })

const members = (archive: string) => execFileSync('tar', ['-tf', archive], { encoding: 'utf8' }).trim().split('\n')
const member = (archive: string, name: string) => JSON.parse(execFileSync('tar', ['-xOf', archive, name]).toString())

t.test('an archive is an OCI layout and what docker load reads', async (t) => {
  const directory = temporaryDirectory(t)
  const { root, store } = testStore(t)
  const [one] = await store.load((await layeredImage(20)).layout)
  await store.tag(one!.imageId, 'team/tool:1')
  await store.tag(one!.imageId, 'team/tool:2')
  const path = join(directory, 'image.tar')
  await pipeline(await store.save(['team/tool']), createWriteStream(path))
  const [item] = member(path, 'manifest.json')
  t.strictSame(item.RepoTags, ['team/tool:1', 'team/tool:2'], 'a name without a tag means all')
  t.equal(item.Layers.length, 20)
  const names = new Set(members(path))
  for (const name of [item.Config, ...item.Layers, 'oci-layout', 'index.json', 'repositories'])
    t.ok(names.has(name), name)
  t.equal(names.size, members(path).length, 'each thing once')
  const again = join(directory, 'again.tar')
  await pipeline(await store.save(['team/tool:2', 'team/tool:1']), createWriteStream(again))
  t.equal(statSync(again).size, statSync(path).size)
  t.strictSame(
    readdirSync(join(root, 'leases')).filter((name) => name.endsWith('.lease')),
    [],
  )

  const second = testStore(t)
  const loaded = await second.store.load(path)
  t.strictSame(loaded, [
    {
      references: ['docker.io/team/tool:1', 'docker.io/team/tool:2'],
      imageId: one!.imageId,
    },
  ])
  t.equal(second.store.resolve('team/tool:1').manifest, store.resolve('team/tool:1').manifest, 'the same manifest')
  t.strictSame(readdirSync(join(second.root, 'blobs/sha256')).length, 22, 'and nothing that no image needs')

  for (const form of [`docker-archive:${path}:docker.io/team/tool:1`, `oci-archive:${path}:2`]) {
    const out = join(directory, `copy-${form.slice(0, 3)}.tar`)
    await tool('skopeo', ['--insecure-policy', 'copy', '-q', form, `docker-archive:${out}:team/copied:1`])
    const third = testStore(t)
    t.match(await third.store.load(createReadStream(out)), [{ references: ['docker.io/team/copied:1'] }])
    t.equal(third.store.resolve('team/copied:1').diffIds.length, 20)
    t.equal(third.store.resolve('team/copied:1').id, one!.imageId, `${form.slice(0, 10)}: the same image`)
  }
})

t.test('several images, by ID too, and what is not there', async (t) => {
  const registry = await startScriptedRegistry(t)
  registry.add('tool', '1', image)
  const { store } = testStore(t)
  await store.load((await layeredImage(1)).layout)
  const untagged = store.list()[0]!.id
  const name = `${registry.address}/tool:1`
  await store.pull(name)
  const path = join(temporaryDirectory(t), 'image.tar')
  await pipeline(await store.save([name, untagged]), createWriteStream(path))
  t.strictSame(
    member(path, 'manifest.json').map(({ RepoTags }: { RepoTags: string[] }) => RepoTags),
    [[name], null],
  )
  const second = testStore(t)
  t.strictSame(
    (await second.store.load(path)).map(({ references }) => references),
    [[name], []],
  )
  await t.rejects(store.save(['nobody/nothing']), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await t.rejects(store.save([name], { platform: 'linux/s390x' }), { code: 'ERR_JUBAKO_NOT_FOUND', message: /s390x/ })
  const stop = new AbortController()
  const stopped = await store.save([name], { signal: stop.signal })
  stop.abort()
  await t.rejects(pipeline(stopped, createWriteStream('/dev/null')), { code: 'ERR_JUBAKO_ABORTED' })
  // A load over a name from a registry leaves what is known of it there.
  await store.load(path)
  t.match(await store.pull(name), { updated: false })
})

t.test('an index goes out whole when all of it is here', async (t) => {
  const index = makeIndex([
    { image: elsewhere, architecture: 's390x' },
    { image, architecture: HERE },
  ])
  const registry = await startScriptedRegistry(t)
  for (const one of [image, elsewhere]) registry.add('tool', one.manifestDigest, one)
  registry.addManifest('tool', '1', index, INDEX)
  const { store } = testStore(t)
  const name = `${registry.address}/tool:1`
  const directory = temporaryDirectory(t)
  const save = async (file: string, platform?: string) => {
    const path = join(directory, file)
    await pipeline(await store.save([name], { platform }), createWriteStream(path))
    return path
  }
  await store.pull(name)
  const part = await save('part.tar')
  t.equal(member(part, 'index.json').manifests[0].digest, image.manifestDigest)
  await store.pull(name, { platform: 'linux/s390x' })
  await store.tag(name, 'kept')
  await store.pull(name, { platform: `linux/${HERE}` })
  const whole = await save('whole.tar')
  t.equal(member(whole, 'index.json').manifests[0].digest, sha256(index))
  t.strictSame(
    member(whole, 'manifest.json').map(({ RepoTags }: { RepoTags: string[] }) => RepoTags),
    [null, [name]],
    'the name is this machine’s image',
  )
  const only = await save('only.tar', 'linux/s390x')
  t.equal(member(only, 'index.json').manifests[0].digest, elsewhere.manifestDigest)
  const second = testStore(t)
  t.match(await second.store.load(only, { platform: 'linux/s390x' }), [{ imageId: elsewhere.imageId }])
})

t.test('the history', async (t) => {
  const { store } = testStore(t)
  await store.load((await layeredImage(20)).layout)
  const { id } = store.list()[0]!
  const history = store.history(id)
  t.equal(history.length, 20)
  t.match(history[0], { id, createdBy: 'layer 20', createdAt: Date.parse('2023-11-14T22:13:20Z') })
  t.match(history[19], { id: '<missing>', createdBy: 'layer 1' })
  t.equal(
    history.reduce((sum, { size }) => sum + size, 0),
    store.summary(id).size,
  )
  const bare = makeImage({ layers: [[{ name: 'a', data: '123' }]] })
  const registry = await startScriptedRegistry(t)
  registry.add('bare', '1', bare)
  await store.pull(`${registry.address}/bare:1`)
  t.match(store.history(`${registry.address}/bare:1`), [{ id: bare.imageId, size: 3, createdBy: '' }])
  t.throws(() => store.history(id, { platform: 'linux/s390x' }), { code: 'ERR_JUBAKO_NOT_FOUND' })
})

t.test('a root file system becomes an image that runs', async (t) => {
  const { engine, root, image: busybox } = await testEngine(t)
  const [source] = (await engine.inspectImage(busybox)).RepoTags as string[]
  t.equal(source, undefined)
  const layers = readdirSync(join(root, 'layers'))
  const tar = execFileSync('tar', ['-C', join(root, 'layers', layers[0]!, 'diff'), '-c', '.'], { maxBuffer: 1 << 28 })
  const { imageId, reference } = await engine.images.import(Readable.from([tar]), {
    reference: 'imported:1',
    changes: ['CMD echo "$GREETING"', 'ENV GREETING="hi there" OTHER=x$GREETING', 'LABEL a=b', 'USER 1000'],
    message: 'by hand',
  })
  t.equal(reference, 'docker.io/library/imported:1')
  t.strictSame(await finish(await engine.run('imported:1')), {
    stdout: 'hi there\n',
    stderr: '',
    exitCode: 0,
    signal: null,
    oomKilled: false,
  })
  t.match(await engine.inspectImage(imageId), {
    Comment: 'by hand',
    Config: { Env: ['GREETING=hi there', 'OTHER=x'], Labels: { a: 'b' }, User: '1000' },
  })
  t.match(await engine.images.history('imported:1'), [{ comment: 'by hand' }])
})

t.test('what is imported', async (t) => {
  const directory = temporaryDirectory(t)
  const { engine, root } = await testEngine(t)
  const tar = tarOf([{ name: 'file', data: 'x' }])
  const plain = await engine.images.import(Readable.from([tar]))
  t.equal(plain.reference, null)
  const zipped = join(directory, 'a.tar.gz')
  writeFileSync(zipped, gzipSync(tar))
  const { imageId } = await engine.images.import(zipped, { platform: 'linux/arm/v6' })
  t.match(await engine.inspectImage(imageId), { Architecture: 'arm', Variant: 'v6', Comment: 'Imported from -' })
  const [first, second] = [await engine.inspectImage(plain.imageId), await engine.inspectImage(imageId)]
  t.strictSame(first.RootFS, second.RootFS, 'one layer on the disk')
  const server = createServer((request, response) => {
    if (request.url === '/a.tar') response.end(tar)
    else response.writeHead(404).end()
  })
  const address = await listen(t, server)
  const fetched = await engine.images.import(new URL(`http://${address}/a.tar`), { reference: 'fetched' })
  t.match(await engine.inspectImage(fetched.imageId), { Comment: `Imported from http://${address}/a.tar` })
  const before = await engine.images()
  for (const [source, options, error] of [
    [new URL(`http://${address}/b.tar`), {}, /HTTP status code 404/],
    [join(directory, 'none.tar'), {}, /open .*none\.tar: no such file or directory/],
    [Readable.from([Buffer.alloc(0)]), {}, /empty/],
    [Readable.from([Buffer.from('no archive at all')]), {}, /cannot unpack/],
    [Readable.from([tar]), { reference: 'BAD:x' }, /must be lowercase/],
    [Readable.from([tar]), { changes: ['RUN true'] }, /run is not a valid change command/],
    [Readable.from([tar]), { changes: ['FOO bar'] }, /foo is not a valid change command/],
    [Readable.from([tar]), { changes: ['EXPOSE 70000'] }, /invalid containerPort: 70000/],
  ] as const) {
    await t.rejects(engine.images.import(source, options), { message: error }, String(error))
  }
  t.strictSame(await engine.images(), before, 'and nothing else')
  t.strictSame(readdirSync(join(root, 'ingest')), [])
})

t.test('images that nobody needs', async (t) => {
  const { engine, root, image: busybox } = await testEngine(t)
  const begun = Date.now()
  const tar = (data: string) => Readable.from([tarOf([{ name: 'file', data }])])
  const dangling = await engine.images.import(tar('1'))
  const moved = await engine.images.import(tar('2'), { reference: 'moved' })
  const labelled = await engine.images.import(tar('3'), { reference: 'moved', changes: ['LABEL keep=yes'] })
  await engine.create(busybox, ['true'])
  const pruned = await engine.images.prune()
  t.strictSame(
    new Set(pruned.removed.flatMap((line) => ('deleted' in line ? line.deleted : []))).has(dangling.imageId),
    true,
  )
  t.ok(pruned.reclaimed > 0)
  const left = async () => (await engine.images()).map(({ id }) => id)
  t.notOk((await left()).includes(moved.imageId), 'it lost its name')
  t.ok((await left()).includes(busybox), 'a container needs it')
  await engine.images.prune({ all: true, filter: ({ labels }) => labels.keep !== 'yes' })
  t.ok((await left()).includes(labelled.imageId))
  const last = await engine.images.prune({ all: true })
  t.match(last.removed[0], { untagged: 'moved:latest' })
  t.strictSame(await left(), [busybox])
  const actions = new Set<string>()
  for await (const { type, action } of engine.events({ since: begun, until: Date.now() + 1 })) {
    if (type === 'image') actions.add(action)
  }
  for (const action of ['import', 'untag', 'delete', 'prune']) t.ok(actions.has(action), `event ${action}`)
  t.strictSame(readdirSync(join(root, 'layers')).length, 1)
  t.match(JSON.parse(readFileSync(join(root, 'layers', readdirSync(join(root, 'layers'))[0]!, 'layer.json'), 'utf8')), {
    entries: Number,
  })
})
