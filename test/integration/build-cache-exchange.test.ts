// lanes: host
/** `--cache-from` and `--cache-to`: steps of one store used in another. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { BuildOptions } from '../../src/engine/build-types.js'
import { startRegistry } from '../fixtures/registry.js'
import { type TestBuilder, testBuilder } from '../helpers/build.js'
import { cli } from '../helpers/cli.js'

const TEXT = [
  'FROM base AS tools',
  'WORKDIR /tools',
  'RUN date +%N > /tools/made && rm /etc/group && mkdir -m 1777 /odd && chown 5:6 /odd',
  'FROM base',
  'RUN date +%N > /when',
  'WORKDIR /etc',
  'COPY file /copied',
  'COPY --from=tools /tools/made /made',
].join('\n')
const context = { files: { file: 'contents' } }

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'jubako-cache-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Instructions that were carried out. */
async function watched(builder: TestBuilder, options: BuildOptions) {
  const names = new Map<string, string>()
  const onProgress: BuildOptions['onProgress'] = (event) => {
    if (event.type === 'start' && event.name.startsWith('[')) names.set(event.step, event.name)
    else if (event.type === 'cached') names.delete(event.step)
  }
  const result = await builder.build(TEXT, { context, onProgress, ...options })
  return { ...result, ran: [...names.values()].filter((name) => !name.startsWith('[internal]')) }
}

const registry = await startRegistry()
t.teardown(() => registry.close())

/** Builds in one store with `to`, then in another with `from`. */
async function exchange(t: Test, to: BuildOptions, from: BuildOptions) {
  const one = await testBuilder(t)
  const first = await watched(one, to)
  const two = await testBuilder(t)
  const second = await watched(two, from)
  return { one, two, first, second }
}

for (const compression of ['gzip', 'zstd'] as const) {
  t.test(`all stages, in a folder, ${compression}`, async (t) => {
    const dest = folder(t)
    const { first, second, one, two } = await exchange(
      t,
      { cacheTo: [{ type: 'local', dest, mode: 'max', compression }] },
      { cacheFrom: [{ type: 'local', src: dest }] },
    )
    t.equal(first.cachedSteps, 0)
    t.equal(second.cachedSteps, second.steps)
    t.strictSame(second.ran, [])
    t.equal(second.imageId, first.imageId, 'times of the steps too')
    const index = JSON.parse(readFileSync(join(dest, 'index.json'), 'utf8')) as { manifests: { digest: string }[] }
    const blob = (digest: string) => JSON.parse(readFileSync(join(dest, 'blobs', digest.replace(':', '/')), 'utf8'))
    const { manifests } = blob(index.manifests[0]!.digest) as { manifests: { mediaType: string; digest: string }[] }
    t.equal(manifests.at(-1)!.mediaType, 'application/vnd.buildkit.cacheconfig.v0')
    const config = blob(manifests.at(-1)!.digest) as { layers: { annotations: object }[]; records: object[] }
    t.match(config.layers[0], { blob: /^sha256:/, parent: -1, annotations: { diffID: /^sha256:/ } })
    const archives = () =>
      readdirSync(join(dest, 'blobs/sha256')).filter((name) => {
        const start = readFileSync(join(dest, 'blobs/sha256', name))[0]
        return start === 0x1f || start === 0x28
      })
    const before = archives()
    await one.build(TEXT, { context, cacheTo: [{ type: 'local', dest, mode: 'max' }] })
    t.strictSame(archives(), before, 'nothing is packed twice')
    await two.build(`${TEXT}\nRUN test -e /when && test ! -e /odd`, { context })
  })
}

t.test('a registry, as an index and as a manifest; only the layers of the result', async (t) => {
  for (const imageManifest of [false, true]) {
    const ref = `${registry.address}/cache:${imageManifest ? 'manifest' : 'index'}`
    const { second, two } = await exchange(
      t,
      { cacheTo: [{ type: 'registry', ref, imageManifest }] },
      { cacheFrom: [{ type: 'registry', ref }] },
    )
    t.equal(second.ran.length, 2, 'the steps of the other stage are not there')
    t.match(second.ran.sort()[1], /\[tools 3\/3\] RUN date/)
    const only = await two.build('FROM base\nRUN date +%N > /when')
    t.equal(only.cachedSteps, 1)
  }
})

t.test('in the image itself', async (t) => {
  const one = await testBuilder(t)
  const tag = `${registry.address}/inline:1`
  await one.build(TEXT, { context, tags: [tag], cacheTo: [{ type: 'inline' }] })
  await one.engine.images.push(tag)
  const two = await testBuilder(t)
  const cacheFrom = [{ type: 'registry' as const, ref: tag }]
  const second = await watched(two, { cacheFrom })
  t.ok(second.ran.length > 0)
  t.ok(
    second.ran.every((name) => name.startsWith('[tools ')),
    second.ran.join(),
  )
  const [plain, asked] = [
    await one.build(TEXT, { context }),
    await one.build(TEXT, { context, args: { BUILDKIT_INLINE_CACHE: '1' } }),
  ]
  t.not(plain.imageId, asked.imageId)
})

t.test('what is not there, and what was changed', async (t) => {
  const dest = folder(t)
  const one = await testBuilder(t)
  await one.build(TEXT, { context, cacheTo: [{ type: 'local', dest, mode: 'max' }] })
  const two = await testBuilder(t, { registry: { retry: { attempts: 1 } } })
  const missing = [
    { type: 'local' as const, src: join(dest, 'nowhere') },
    { type: 'registry' as const, ref: `${registry.address}/nothing:here` },
  ]
  t.equal((await two.build('FROM base\nRUN true', { cacheFrom: missing })).cachedSteps, 0)
  for (const name of readdirSync(join(dest, 'blobs/sha256'))) {
    const path = join(dest, 'blobs/sha256', name)
    const bytes = readFileSync(path)
    if (bytes[0] !== 0x1f) continue
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(path, bytes)
  }
  const error = await two.failure(TEXT, { context, cacheFrom: [{ type: 'local', src: dest }] })
  t.match(error.message, /content does not match its digest/)
  const refused = { cacheTo: [{ type: 'registry' as const, ref: '127.0.0.1:1/x', ignoreError: true }] }
  await two.build('FROM base\nRUN true', refused)
  t.match(
    (await two.failure('FROM base\nRUN true', { cacheTo: [{ type: 'registry', ref: '127.0.0.1:1/x' }] })).code,
    /NETWORK/,
  )
})

t.test('from the command line', async (t) => {
  const dest = folder(t)
  const one = await testBuilder(t)
  const jubako = cli(one)
  const build = (text: string, ...flags: string[]) => jubako.run(['build', ...flags, '-'], { input: text })
  const text = 'FROM base\nRUN echo x > /x\n'
  const ref = `${registry.address}/cli:1`
  const first = await build(
    text,
    '--cache-to',
    `type=local,dest=${dest},mode=max`,
    '--cache-to',
    `type=registry,ref=${ref}`,
  )
  t.equal(first.code, 0, first.stderr)
  t.match(first.stderr, /exporting cache to client directory[\s\S]*exporting cache to registry/)
  for (const from of [ref, `type=registry,ref=${ref}`, `type=local,src=${dest}`]) {
    await jubako.run(['builder', 'prune', '-af'])
    const again = await build(text, '--cache-from', from)
    t.match(again.stderr, /importing cache manifest from[\s\S]*#(\d+) \[2\/2\] RUN echo x[\s\S]*\n#\1 CACHED/, from)
  }
  t.match((await build(text, '--cache-to', 'type=gha')).stderr, /unknown cache exporter: "gha"/)
  t.match((await build(text, '--cache-from', 'type=local')).stderr, /src required for local cache importer/)
})
