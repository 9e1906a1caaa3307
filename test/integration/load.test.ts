// lanes: host
import { createReadStream, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { formatReference, parseReference } from '../../src/oci/index.js'
import { busyboxImage, layeredImage } from '../fixtures/images.js'
import { temporaryDirectory, testStore } from '../helpers/image-store.js'
import {
  layoutFiles,
  makeImage,
  sha256,
  type TarFile,
  tarOf,
  tarOfFiles,
  writeLayoutDirectory,
} from '../helpers/oci-image.js'
import { tool } from '../helpers/processes.js'

/** Nothing half-made, no lease and no trash may stay, whatever became of the load. */
function checkClean(t: Test, root: string) {
  t.same(readdirSync(join(root, 'ingest')), [], 'nothing half-made')
  t.same(readdirSync(join(root, 'trash')), [], 'no trash')
  t.same(
    readdirSync(join(root, 'leases')).filter((name) => name.endsWith('.lease')),
    [],
    'no lease',
  )
}

const image = makeImage({
  layers: [
    [
      { name: 'bin/', type: '5', mode: 0o755 },
      { name: 'bin/tool', data: 'one', mode: 0o755 },
    ],
    [{ name: 'two', data: '2' }],
  ],
})

/** The parts of an archive in `docker save`'s old form. */
function dockerFiles(tags: string[] | null, change: Record<string, unknown> = {}): TarFile[] {
  const layers = image.layers.map(({ digest }, i) => ({ name: `${i}/layer.tar`, data: image.blobs.get(digest)! }))
  const item = { Config: 'config.json', RepoTags: tags, Layers: layers.map(({ name }) => name), ...change }
  return [
    ...layers,
    { name: 'config.json', data: image.config },
    { name: 'manifest.json', data: JSON.stringify([item]) },
  ]
}

t.test('an image in every form that tools write', async (t) => {
  const directory = temporaryDirectory(t)
  const fixture = await layeredImage(20)
  const [docker, oci] = [await fixture.dockerArchive(), await fixture.ociArchive()]
  const [gz, zst] = [join(directory, 'docker.tar.gz'), join(directory, 'oci.tar.zst')]
  await tool('sh', ['-c', `gzip -1 < ${docker} > ${gz} && zstd -q -1 < ${oci} > ${zst}`])
  const name = formatReference(parseReference(`${fixture.name}:latest`))
  const zstd = 'createZstdDecompress' in (await import('node:zlib'))
  const forms = [
    { what: 'docker archive', source: () => docker, references: [name] },
    { what: 'docker archive through gzip', source: () => gz, references: [name] },
    { what: 'docker archive as a stream', source: () => createReadStream(docker), references: [name] },
    { what: 'OCI archive', source: () => oci, references: [] },
    { what: 'OCI layout', source: () => fixture.layout, references: [] },
    ...(zstd ? [{ what: 'OCI archive through zstd', source: () => zst, references: [] }] : []),
  ]
  const ids = new Set<string>()
  for (const { what, source, references } of forms) {
    const { root, store, unpacker } = testStore(t)
    const lines: string[] = []
    const loaded = await store.load(source(), { onProgress: ({ id, status }) => id === '' && lines.push(status) })
    t.equal(loaded.length, 1, what)
    t.same(loaded[0]!.references, references, `${what}: names`)
    t.match(
      lines.at(-1),
      references.length > 0 ? `Loaded image: ${fixture.name}:latest` : `Loaded image ID: ${loaded[0]!.imageId}`,
    )
    const resolved = store.resolve(references[0] ?? loaded[0]!.imageId)
    t.equal(resolved.layers.length, 20)
    t.equal(unpacker.count, 20)
    t.ok(statSync(join(resolved.layers.at(-1)!, 'bin/busybox')).isFile())
    t.ok(existsSync(join(resolved.layers[0]!, 'layers/18')), 'the last layer is the topmost')
    ids.add(resolved.id)
    checkClean(t, root)
  }
  t.equal(ids.size, 1, 'one image in all forms')
})

t.test('without a decoder for zstd it says what to do', async (t) => {
  if ('createZstdDecompress' in (await import('node:zlib'))) return t.pass('this Node has one')
  const { root, store } = testStore(t)
  const source = Readable.from([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0])])
  await t.rejects(store.load(source), { code: 'ERR_JUBAKO_UNSUPPORTED', hint: /zstd -dc/ })
  checkClean(t, root)
})

t.test('a name that moves to a loaded image leaves the former image without a name', async (t) => {
  const { store } = testStore(t)
  await store.load((await busyboxImage()).layout)
  const [busybox] = store.list()
  await store.tag(busybox!.id, 'tool:1')
  await store.load(Readable.from([tarOf(dockerFiles(['tool:1', 'tool:2']))]))
  t.equal(store.resolve('tool:1').id, image.imageId)
  t.equal(store.resolve('tool:2').id, image.imageId)
  t.same(store.list().find(({ id }) => id === busybox!.id)?.tags, [])
})

t.test('an archive without names', async (t) => {
  const { store } = testStore(t)
  t.match(await store.load(Readable.from([tarOf(dockerFiles(null))])), [{ references: [], imageId: image.imageId }])
  t.equal(store.resolve(image.imageId.slice(7, 19)).id, image.imageId, 'by the beginning of its ID')
})

t.test('a layout whose annotation is a whole name', async (t) => {
  const { store } = testStore(t)
  const files = layoutFiles(image, { 'org.opencontainers.image.ref.name': 'example.com/team/tool:3' })
  t.match(await store.load(Readable.from([tarOfFiles(files)])), [{ references: ['example.com/team/tool:3'] }])
})

t.test('symbolic links between layers, as old archives have them', async (t) => {
  const { store } = testStore(t)
  const files = dockerFiles(['tool:1'])
  const [first] = files
  const archive = [
    { ...first!, name: 'shared/layer.tar' },
    { name: '0/layer.tar', type: '2', target: '../shared/layer.tar' },
    ...files.slice(1),
  ]
  t.match(await store.load(Readable.from([tarOf(archive)])), [{ imageId: image.imageId }])
})

t.test('archives that lie', async (t) => {
  const config = JSON.parse(image.config.toString())
  const wrongDiffId = Buffer.from(
    JSON.stringify({ ...config, rootfs: { type: 'layers', diff_ids: [sha256('x'), sha256('y')] } }),
  )
  const upward = makeImage({ layers: [[{ name: '../../escaped', data: 'x' }]] })
  const through = makeImage({
    layers: [
      [
        { name: 'a', type: '2', target: '/tmp' },
        { name: 'a/escaped', data: 'x' },
      ],
    ],
  })
  const whole = tarOf(dockerFiles(['tool:1']))
  const damaged = gzipSync(whole)
  damaged[damaged.length - 40]! ^= 0xff
  const withConfig = (data: string | Buffer) =>
    dockerFiles(['tool:1']).map((f) => (f.name === 'config.json' ? { ...f, data } : f))
  const without = (name: string) => dockerFiles(['tool:1']).filter((file) => file.name !== name)
  const layout = layoutFiles(image)
  const wrongBlob = new Map(layout).set(`blobs/sha256/${image.layers[0]!.digest.slice(7)}`, Buffer.from('other'))
  const lies: [string, Buffer, { code: string; message?: RegExp }][] = [
    ['nothing', Buffer.alloc(0), { code: 'ERR_JUBAKO_INTEGRITY', message: /truncated/ }],
    ['no tar', Buffer.alloc(4096, 'x'), { code: 'ERR_JUBAKO_INTEGRITY', message: /not a tar archive/ }],
    ['an empty tar', tarOf([]), { code: 'ERR_JUBAKO_INTEGRITY', message: /neither manifest.json nor index.json/ }],
    ['cut off', whole.subarray(0, whole.length / 2), { code: 'ERR_JUBAKO_INTEGRITY', message: /truncated/ }],
    ['damaged gzip', damaged, { code: 'ERR_JUBAKO_INTEGRITY', message: /gzip/ }],
    ['no layer', tarOf(without('1/layer.tar')), { code: 'ERR_JUBAKO_INTEGRITY', message: /1\/layer.tar" is missing/ }],
    ['no configuration', tarOf(without('config.json')), { code: 'ERR_JUBAKO_INTEGRITY', message: /is missing/ }],
    ['manifest.json is none', tarOf([{ name: 'manifest.json', data: '{"a":1}' }]), { code: 'ERR_JUBAKO_INTEGRITY' }],
    ['a configuration that is none', tarOf(withConfig('[]')), { code: 'ERR_JUBAKO_INTEGRITY' }],
    ['wrong diffIDs', tarOf(withConfig(wrongDiffId)), { code: 'ERR_JUBAKO_INTEGRITY', message: /not what the image/ }],
    ['a bad name', tarOf(dockerFiles(['Bad Name'])), { code: 'ERR_JUBAKO_INVALID_REFERENCE' }],
    [
      'member names that lead out',
      tarOf([{ name: '../x', data: '' }]),
      { code: 'ERR_JUBAKO_INTEGRITY', message: /bad name/ },
    ],
    [
      'links in a circle',
      tarOf([{ name: 'manifest.json', type: '2', target: 'manifest.json' }]),
      { code: 'ERR_JUBAKO_INTEGRITY' },
    ],
    ['a blob that is not its name', tarOfFiles(wrongBlob), { code: 'ERR_JUBAKO_INTEGRITY' }],
    ['a layer with ..', tarOfFiles(layoutFiles(upward)), { code: 'ERR_JUBAKO_INTEGRITY', message: /escaped/ }],
  ]
  for (const [what, bytes, error] of lies) {
    const { root, store } = testStore(t)
    await t.rejects(store.load(Readable.from([bytes])), error, what)
    t.same(store.list(), [], `${what}: no image`)
    await store.collect()
    t.same(readdirSync(join(root, 'layers')), [], `${what}: no layer`)
    t.same(readdirSync(join(root, 'blobs/sha256')), [], `${what}: no blob after a collection`)
    checkClean(t, root)
  }
  const { store } = testStore(t)
  await store.load(Readable.from([tarOfFiles(layoutFiles(through))])).catch(() => undefined)
  t.notOk(existsSync('/tmp/escaped'), 'a link in a layer leads nowhere')
})

t.test('a layout directory with links and holes', async (t) => {
  const directory = temporaryDirectory(t)
  const files = layoutFiles(image)
  const blob = `blobs/sha256/${image.layers[0]!.digest.slice(7)}`
  writeLayoutDirectory(join(directory, 'hole'), new Map([...files].filter(([name]) => name !== blob)))
  const { root, store } = testStore(t)
  await t.rejects(store.load(join(directory, 'hole')), { code: 'ERR_JUBAKO_INTEGRITY', message: /missing/ })
  writeLayoutDirectory(join(directory, 'lie'), new Map(files).set(blob, Buffer.from('other')))
  await t.rejects(store.load(join(directory, 'lie')), { code: 'ERR_JUBAKO_INTEGRITY', message: /expected sha256/ })
  writeLayoutDirectory(join(directory, 'link'), new Map([...files].filter(([name]) => name !== blob)))
  await tool('ln', ['-s', '/etc/passwd', join(directory, 'link', blob)])
  await t.rejects(store.load(join(directory, 'link')), { code: 'ERR_JUBAKO_INTEGRITY' })
  await t.rejects(store.load(join(directory, 'none')), { code: 'ERR_JUBAKO_NOT_FOUND', path: join(directory, 'none') })
  writeFileSync(join(directory, 'file'), 'x')
  await t.rejects(store.load(join(directory, 'file')), { code: 'ERR_JUBAKO_INTEGRITY' })
  t.same(store.list(), [])
  checkClean(t, root)
})

t.test('a load that is stopped', async (t) => {
  const { root, store } = testStore(t)
  const stop = new AbortController()
  const source = createReadStream(await (await busyboxImage()).dockerArchive(), { highWaterMark: 4096 })
  source.once('data', () => stop.abort())
  await t.rejects(store.load(source, { signal: stop.signal }), { code: 'ERR_JUBAKO_ABORTED' })
  t.ok(source.destroyed, 'the source is let go')
  t.same(store.list(), [])
  checkClean(t, root)
})
