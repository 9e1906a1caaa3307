// `node scripts/pack-platform.mjs DIRECTORY`: packs what is published, out of this checkout's build: the package
// `jubako` (no native code, no scripts) and the platform package with the native files for this machine.
// docs/decisions/platform-packages.md says how they find each other.
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { libc, NATIVE_FILES, PLATFORMS, platformPackage } from './lib/platform.mjs'
import { ROOT } from './lib/root.mjs'
import { main } from './lib/run.mjs'

function pack(directory, target) {
  const result = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', target], {
    cwd: directory,
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new Error(`npm pack failed: ${result.stderr}`)
  return join(target, JSON.parse(result.stdout)[0].filename)
}

const writeManifest = (directory, manifest) =>
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)

function stagePlatform(stage, manifest) {
  for (const name of NATIVE_FILES) {
    const built = join(ROOT, 'build/Release', name)
    if (!existsSync(built)) throw new Error(`build/Release/${name} is missing: run \`npm run build\` first`)
    copyFileSync(built, join(stage, name))
  }
  copyFileSync(join(ROOT, 'LICENSE'), join(stage, 'LICENSE'))
  writeManifest(stage, {
    name: platformPackage(),
    version: manifest.version,
    description: `Native files of jubako for linux-${process.arch}, ${libc()}`,
    license: manifest.license,
    os: ['linux'],
    cpu: [process.arch],
    libc: [libc() === 'gnu' ? 'glibc' : 'musl'],
    files: [...NATIVE_FILES],
  })
}

function stageMain(stage, manifest) {
  for (const name of manifest.files) {
    const source = join(ROOT, name)
    if (!existsSync(source)) throw new Error(`${name} is missing: run \`npm run build\` first`)
    mkdirSync(dirname(join(stage, name)), { recursive: true })
    cpSync(source, join(stage, name), { recursive: true })
  }
  const { scripts, devDependencies, gypfile, ...published } = manifest
  const optionalDependencies = Object.fromEntries(PLATFORMS.map((name) => [name, manifest.version]))
  writeManifest(stage, { ...published, optionalDependencies })
}

await main(() => {
  const target = process.argv[2]
  if (!target) throw new Error('usage: node scripts/pack-platform.mjs DIRECTORY')
  mkdirSync(target, { recursive: true })
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const work = mkdtempSync(join(tmpdir(), 'jubako-pack-'))
  try {
    for (const [name, fill] of Object.entries({ platform: stagePlatform, main: stageMain })) {
      const stage = join(work, name)
      mkdirSync(stage)
      fill(stage, manifest)
      console.log(pack(stage, resolve(target)))
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
})
