// lanes: host
// Lists of images for several platforms, searches, and what refers to an image.
import { execFileSync } from 'node:child_process'
import t from 'tap'
import type { Digest } from '../../src/oci/index.js'
import { RegistryClient } from '../../src/registry/index.js'
import { layeredImage } from '../fixtures/images.js'
import { startRegistry } from '../fixtures/registry.js'
import { startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { cli } from '../helpers/cli.js'
import { temporaryDirectory, testStore } from '../helpers/image-store.js'
import { makeImage, sha256 } from '../helpers/oci-image.js'
import { tool } from '../helpers/processes.js'

const ARCH = process.arch === 'x64' ? 'amd64' : process.arch
const image = makeImage({ layers: [[{ name: 'a', data: 'b' }]] })

t.test('a list of two images of a real registry', async (t) => {
  const registry = await startRegistry()
  t.teardown(() => registry.close())
  const one = await registry.push(await layeredImage(1), 'team/one')
  const two = await registry.push(await layeredImage(20), 'team/two')
  const base = temporaryDirectory(t)
  const { run } = cli({ root: `${base}/root`, runRoot: `${base}/run` })
  const list = `${registry.address}/team/list:1`
  t.match(await run(['manifest', 'create', list, one, two]), { code: 0, stdout: `Created manifest list ${list}\n` })
  t.match(await run(['manifest', 'create', list, one]), {
    code: 1,
    stderr: /refusing to amend an existing manifest list with no --amend flag/,
  })
  t.equal((await run(['manifest', 'create', '--amend', list, one])).code, 0)
  const annotate = (...words: string[]) => run(['manifest', 'annotate', ...words])
  t.equal((await annotate('--arch', 'arm64', '--variant', 'v8', '--os-features', 'a,b', list, two)).code, 0)
  t.match(await annotate('--arch', 'bogus', list, two), { code: 1, stderr: /unsupported os\/arch combination/ })
  t.match(await annotate('--os', 'linux', list, `${two}x`), { code: 1, stderr: /does not exist in/ })

  const local = await run(['manifest', 'inspect', list])
  t.match(JSON.parse(local.stdout).manifests, [
    { platform: { architecture: ARCH, os: 'linux' } },
    { platform: { architecture: 'arm64', os: 'linux', variant: 'v8', 'os.features': ['a', 'b'] } },
  ])
  const pushed = await run(['manifest', 'push', '--purge', list])
  const lines = pushed.stdout.trim().split('\n')
  t.match(lines[0], new RegExp(`^Pushed ref ${registry.address}/team/list@(sha256:\\w+) with digest: \\1$`))
  t.equal(lines.length, 3)
  const remote = await run(['manifest', 'inspect', list])
  t.equal(remote.stdout, local.stdout, 'what was shown is what was sent')
  t.equal(sha256(remote.stdout.trimEnd()), lines[2])
  const seen = execFileSync('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${list}`], {
    encoding: 'utf8',
  })
  t.equal(sha256(seen), lines[2])
  const verbose = JSON.parse((await run(['manifest', 'inspect', '-v', list])).stdout)
  t.match(verbose[1], { Descriptor: { platform: { architecture: 'arm64' } }, OCIManifest: { schemaVersion: 2 } })
  t.match(JSON.parse((await run(['manifest', 'inspect', one])).stdout).layers, Array(1).fill({ digest: /^sha256:/ }))
  t.match(await run(['manifest', 'inspect', `${one}x`]), { code: 1, stderr: /no such manifest: .*latestx/ })
  t.match(await run(['manifest', 'rm', list]), { code: 1, stderr: new RegExp(`No such manifest: ${list}`) })
  t.match(await run(['manifest', 'push', list]), { code: 1, stderr: /No such manifest/ })

  const { store } = testStore(t)
  t.equal((await store.pull(list)).digest, lines[2])
  await tool('skopeo', [
    '--insecure-policy',
    'copy',
    '-q',
    '--src-tls-verify=false',
    `docker://${list}`,
    `dir:${base}/copy`,
  ])
  t.match(await run(['search', `${registry.address}/team`, '--format', '{{.Name}}']), {
    stdout: 'team/list\nteam/one\nteam/two\n',
  })
})

t.test('only images of the list’s registry', async (t) => {
  const registry = await startScriptedRegistry(t)
  registry.add('one', '1', image)
  const base = temporaryDirectory(t)
  const { run } = cli({ root: `${base}/root`, runRoot: `${base}/run` })
  t.equal((await run(['manifest', 'create', '127.0.0.1:1/list:1', `${registry.address}/one:1`])).code, 0)
  t.match(await run(['manifest', 'push', '127.0.0.1:1/list:1']), { code: 1, stderr: /from a different registry/ })
  t.equal((await run(['manifest', 'rm', '127.0.0.1:1/list:1'])).code, 0)
})

t.test('search', async (t) => {
  const results = [
    {
      name: 'debian',
      description: `An operating system\u001b[31m ${'x'.repeat(60)}`,
      star_count: 7,
      is_official: true,
    },
    { name: 'me/debian', description: '', star_count: 0, is_official: false },
  ]
  const registry = await startScriptedRegistry(t, (_, response, path) => {
    if (!path.startsWith('/v1/search?q=deb&n=')) return false
    response.end(JSON.stringify({ results }))
    return true
  })
  const base = temporaryDirectory(t)
  const { run } = cli({ root: `${base}/root`, runRoot: `${base}/run` })
  const search = (...flags: string[]) => run(['search', ...flags, `${registry.address}/deb`])
  t.equal(
    Buffer.from((await search()).stdout, 'latin1').toString(),
    [
      'NAME        DESCRIPTION                                     STARS     OFFICIAL',
      'debian      An operating system [31m xxxxxxxxxxxxxxxxxxx…   7         [OK]',
      'me/debian                                                   0         ',
      '',
    ].join('\n'),
  )
  t.match((await search('--filter', 'stars=1', '--format', '{{.Name}} {{.StarCount}}')).stdout, 'debian 7\n')
  t.match((await search('-f', 'is-official=false', '--format', '{{.Name}}')).stdout, 'me/debian\n')
  t.match(JSON.parse((await search('-f', 'is-official=1', '--format', 'json', '--no-trunc')).stdout), {
    IsOfficial: '[OK]',
  })
  t.match(await search('--limit', '101'), { code: 1, stderr: /limit 101 is outside the range of \[1, 100\]/ })
  t.match(await search('-f', 'foo=1'), { code: 1, stderr: /invalid filter 'foo'/ })
})

t.test('what refers to an image', async (t) => {
  const INDEX = 'application/vnd.oci.image.index.v1+json'
  const entry = (type: string) => ({
    mediaType: image.mediaType,
    digest: sha256(type),
    size: 1,
    artifactType: type,
  })
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [entry('a/x'), entry('b/y')] }),
  )
  const client = new RegistryClient()
  t.teardown(() => client.close())
  const digest = image.manifestDigest as Digest
  const types = async (address: string, artifactType?: string) => {
    const repository = client.repository({ domain: address, path: 'tool' })
    const found = await repository.referrers(digest, artifactType === undefined ? {} : { artifactType })
    return found.map((one) => one.artifactType)
  }
  const listing = await startScriptedRegistry(t, (_, response, path) => {
    if (!path.startsWith(`/v2/tool/referrers/${digest}`)) return false
    response.writeHead(200, { 'content-type': INDEX }).end(index)
    return true
  })
  t.strictSame(await types(listing.address), ['a/x', 'b/y'])
  t.strictSame(await types(listing.address, 'b/y'), ['b/y'])
  const tagged = await startScriptedRegistry(t)
  t.strictSame(await types(tagged.address), [])
  tagged.addManifest('tool', digest.replace(':', '-'), index, INDEX)
  t.strictSame(await types(tagged.address, 'a/x'), ['a/x'])
})
