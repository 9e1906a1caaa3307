// lanes: host
// The programs of others on the other side: what they push or save runs here, what is pushed or saved here runs there.
import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import { REGISTRY_LOGIN, type RegistryOptions, startRegistry } from '../fixtures/registry.js'
import { finish, testEngine } from '../helpers/engine.js'
import { temporaryDirectory } from '../helpers/image-store.js'
import { peer } from '../helpers/peers.js'
import { tool } from '../helpers/processes.js'

t.setTimeout(300_000)

const PLAIN = ['--tls-verify=false']
const CREDENTIALS = `--creds=${REGISTRY_LOGIN.username}:${REGISTRY_LOGIN.password}`
const RUN = [
  'run',
  '--rm',
  '--network=none',
  '--cgroups=disabled',
  '--ulimit=nofile=1024:1024',
  '--ulimit=nproc=1024:1024',
]

/** An engine with an image of two layers that says hello; the upper one is made here. */
async function greeter(t: Test) {
  const made = await testEngine(t)
  const { engine, image } = made
  await engine.tag(image, 'base:1')
  return { engine, image, base: 'base:1' }
}

async function registryFor(t: Test, options: RegistryOptions = {}) {
  const registry = await startRegistry({ program: 'docker-registry', ...options })
  t.teardown(() => registry.close())
  return registry
}

t.test('podman, through a registry and by archives', async (t) => {
  const { engine, base } = await greeter(t)
  const registry = await registryFor(t)
  const podman = peer(t, 'podman')
  const directory = temporaryDirectory(t)
  const name = `${registry.address}/from/here:1`
  await engine.tag(base, name)
  const [pushed] = await engine.push(name)
  await podman.run('pull', '-q', ...PLAIN, name)
  t.equal(await podman.run(...RUN, name, 'echo', 'hi'), 'hi\n', 'what is pushed here runs there')
  const [seen] = JSON.parse(await podman.run('image', 'inspect', name))
  t.equal(seen.Digest, pushed!.digest)
  t.equal(`sha256:${seen.Id}`, (await engine.inspectImage(name)).Id, 'the same ID')

  const back = `${registry.address}/from/there:1`
  await podman.run('push', '-q', ...PLAIN, name, back)
  const pulled = await engine.pull(back)
  t.equal(pulled.imageId, (await engine.inspectImage(name)).Id)
  t.match(await finish(await engine.run(back, ['echo', 'hi'])), { stdout: 'hi\n', exitCode: 0 })

  const saved = join(directory, 'ours.tar')
  await pipeline(await engine.images.save([name]), createWriteStream(saved))
  await podman.run('rmi', '-f', name)
  t.match(await podman.run('load', '-q', '-i', saved), name)
  t.equal(await podman.run(...RUN, name, 'echo', 'loaded'), 'loaded\n')
  for (const form of ['docker-archive', 'oci-archive']) {
    const path = join(directory, `${form}.tar`)
    await podman.run('tag', name, `localhost/${form}:1`)
    await podman.run('save', '-q', '--format', form, '-o', path, `localhost/${form}:1`)
    const [loaded] = await engine.load(path)
    t.equal(loaded!.imageId, pulled.imageId, form)
    t.strictSame(loaded!.references, [`localhost/${form}:1`])
  }
})

t.test('buildah makes an image of ours, and we run it', async (t) => {
  const { engine, base } = await greeter(t)
  const registry = await registryFor(t, { tls: true })
  const buildah = peer(t, 'buildah')
  const directory = temporaryDirectory(t)
  const name = `${registry.address}/base:1`
  await engine.tag(base, name)
  await engine.push(name)
  writeFileSync(join(directory, 'greeting'), 'from buildah\n')
  await buildah.run('from', '-q', ...PLAIN, '--name', 'work', name)
  await buildah.run('copy', '-q', 'work', join(directory, 'greeting'), '/greeting')
  await buildah.run('config', '--cmd', 'cat /greeting', '--label', 'by=buildah', 'work')
  for (const format of ['oci', 'docker']) {
    const made = `${registry.address}/made:${format}`
    await buildah.run('commit', '-q', '--format', format, ...PLAIN, 'work', `docker://${made}`)
    await engine.pull(made)
    t.match(await finish(await engine.run(made)), { stdout: 'from buildah\n', exitCode: 0 }, format)
    t.match(await engine.inspectImage(made), { Config: { Labels: { by: 'buildah' } } })
  }
})

t.test('umoci repacks an image of ours, and we run it', async (t) => {
  const { engine, base, image } = await greeter(t)
  const directory = temporaryDirectory(t)
  const [archive, layout, bundle] = ['a.tar', 'layout', 'bundle'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]
  await pipeline(await engine.images.save([base]), createWriteStream(archive))
  mkdirSync(layout)
  execFileSync('tar', ['-C', layout, '-xf', archive])
  await tool('umoci', ['unpack', '--image', `${layout}:1`, bundle])
  writeFileSync(join(bundle, 'rootfs/greeting'), 'from umoci\n')
  await tool('umoci', ['repack', '--image', `${layout}:2`, bundle])
  await tool('umoci', ['config', '--image', `${layout}:2`, '--config.cmd', 'cat', '--config.cmd', '/greeting'])
  const loaded = await engine.load(layout)
  const before = (await engine.inspectImage(image)).Id
  const made = loaded.find(({ imageId }) => imageId !== before)
  t.match(await finish(await engine.run(made!.imageId)), { stdout: 'from umoci\n', exitCode: 0 })
  t.equal((await engine.images.history(made!.imageId)).filter(({ size }) => size > 0).length, 2)
})

t.test('skopeo and a registry with passwords', async (t) => {
  const { engine, base } = await greeter(t)
  const registry = await registryFor(t, { password: true })
  const name = `${registry.address}/team/tool:1`
  await engine.tag(base, name)
  const [pushed] = await engine.push(name, { auth: REGISTRY_LOGIN })
  const inspect = ['inspect', ...PLAIN, CREDENTIALS, `docker://${name}`]
  t.equal(JSON.parse(await tool('skopeo', inspect)).Digest, pushed!.digest)
  for (const [format, type] of [
    ['v2s2', 'application/vnd.docker.distribution.manifest.v2+json'],
    ['oci', 'application/vnd.oci.image.manifest.v1+json'],
  ] as const) {
    const copy = `${registry.address}/team/${format}:1`
    const credentials = ['--src-creds', '--dest-creds'].flatMap((flag) => [flag, CREDENTIALS.slice('--creds='.length)])
    await tool('skopeo', [
      '--insecure-policy',
      'copy',
      '-q',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      ...credentials,
      '--format',
      format,
      `docker://${name}`,
      `docker://${copy}`,
    ])
    const { digest } = await engine.pull(copy, { auth: REGISTRY_LOGIN })
    const raw = await tool('skopeo', ['inspect', '--raw', ...PLAIN, CREDENTIALS, `docker://${copy}`])
    t.equal(JSON.parse(raw).mediaType ?? type, type)
    t.match(await finish(await engine.run(copy, ['echo', format])), { stdout: `${format}\n` })
    // Sent on as it came: the digest stays.
    const third = `${registry.address}/team/third:${format}`
    await engine.tag(copy, third)
    t.match(await engine.push(third, { auth: REGISTRY_LOGIN }), [{ digest }])
  }
  const layout = join(temporaryDirectory(t), 'layout')
  await tool('skopeo', [
    '--insecure-policy',
    'copy',
    '-q',
    ...['--src-tls-verify=false', '--src-creds', CREDENTIALS.slice('--creds='.length)],
    `docker://${name}`,
    `oci:${layout}:1`,
  ])
  t.match(JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests, [{ digest: pushed!.digest }])
})
