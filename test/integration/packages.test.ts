// lanes: host
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startNpmRegistry } from '../fixtures/npm-registry.js'
import { startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { CHECKOUT } from '../helpers/checkout.js'
import { makeImage, sha256 } from '../helpers/oci-image.js'
import { tool } from '../helpers/processes.js'

t.setTimeout(120_000)

const lock = JSON.parse(readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, { dev?: boolean; devOptional?: boolean; optional?: boolean }>
}

/** Directories below node_modules of what a user of the package gets too. */
const runtimeDependencies = Object.entries(lock.packages)
  .filter(([path, { dev, devOptional, optional }]) => path !== '' && !dev && !devOptional && !optional)
  .map(([path]) => path)

t.test('the published packages install from a registry without scripts, and run', async (t) => {
  const work = mkdtempSync(join(tmpdir(), 'jubako-packages-'))
  t.teardown(() => rmSync(work, { recursive: true, force: true }))
  const tarballs = join(work, 'tarballs')
  await tool(process.execPath, [join(CHECKOUT, 'scripts/pack-platform.mjs'), tarballs])
  for (const path of runtimeDependencies) {
    await tool('npm', ['pack', '--ignore-scripts', '--pack-destination', tarballs], { cwd: join(CHECKOUT, path) })
  }
  await using registry = await startNpmRegistry(tarballs)
  const application = join(work, 'application')
  mkdirSync(application)
  writeFileSync(join(application, 'package.json'), JSON.stringify({ name: 'application', type: 'module' }))
  const from = ['--registry', registry.url, '--cache', join(work, 'cache')]
  await tool('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...from, 'jubako'], { cwd: application })

  const installed = join(application, 'node_modules/jubako')
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  t.equal(manifest.scripts, undefined, 'nothing runs at installation')
  for (const name of ['binding.gyp', 'build', 'native', 'dist/test']) t.notOk(existsSync(join(installed, name)), name)

  const places = { root: join(work, 'root'), runRoot: join(work, 'run') }
  const flags = ['--root', places.root, '--run-root', places.runRoot]
  const hello = ['run', '--rm', '--network=none', 'jubako/hello']
  t.match(await tool('npx', ['--no-install', 'jubako', ...flags, ...hello], { cwd: application }), /Process id: +1\n/)
  const program = `
    import { Engine } from 'jubako'
    const engine = await Engine.open(${JSON.stringify(places)})
    const container = await engine.run('jubako/hello', [], { network: 'none' })
    container.stdout.resume()
    console.log(JSON.stringify(await container.wait()))
    await engine.close()`
  const exit = await tool(process.execPath, ['--input-type=module', '-e', program], { cwd: application })
  t.match(JSON.parse(exit), { exitCode: 0, oomKilled: false })

  const upstream = await startScriptedRegistry(t, (_, response, path) => {
    if (!path.includes('/tags/list')) return false
    response.end('{"tags":["1"]}')
    return true
  })
  const image = makeImage({ layers: [[{ name: 'a', data: 'b' }]] })
  upstream.add('team/tool', '1', image)
  const state = join(work, 'state')
  const examples = [...readFileSync(join(CHECKOUT, 'docs/packages.md'), 'utf8').matchAll(/```js\n(.*?)```/gs)]
  const outputs = []
  for (const [, example] of examples) {
    const text = example!.replaceAll('/var/lib/example', state).replaceAll('registry.example:5000', upstream.address)
    writeFileSync(join(application, 'example.js'), text)
    outputs.push(await tool(process.execPath, ['example.js'], { cwd: application }))
  }
  t.strictSame(
    outputs,
    [
      `1 ${image.manifestDigest} ${image.mediaType}\n`,
      `${sha256('hello')} hello\n`,
      'from below\nwritten from below\n',
    ],
    'the examples of docs/packages.md do what they say',
  )
  t.equal(readFileSync(join(state, 'blobs/sha256', sha256('world').slice(7)), 'utf8'), 'world')
  t.notMatch(readFileSync('/proc/self/mounts', 'utf8'), state)

  // What a TypeScript user sees.
  writeFileSync(
    join(application, 'types.ts'),
    `import { Engine, type PushOptions } from 'jubako'
     import { ContentStore, type Ingest } from 'jubako/content'
     import { type Mount, mountOverlay } from 'jubako/overlay'
     import { type Credentials, RegistryClient } from 'jubako/registry'
     export const push = (engine: Engine, options: PushOptions) => engine.push('a', options)
     export const ingest = (store: ContentStore): Ingest => store.ingestUnknown()
     export const mount = (value: Mount) => mountOverlay(value, '/mnt')
     export const login = (credentials: Credentials) => new RegistryClient().login('a', credentials)`,
  )
  const checks = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'esnext',
    '--types',
    'node',
  ]
  const types = ['--typeRoots', join(CHECKOUT, 'node_modules/@types')]
  await tool(process.execPath, [join(CHECKOUT, 'node_modules/typescript/bin/tsc'), ...checks, ...types, 'types.ts'], {
    cwd: application,
  })
  await t.rejects(tool(process.execPath, ['-e', "require('jubako/dist/src/images/index.js')"], { cwd: application }))
})
