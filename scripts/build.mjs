// Builds everything: native code, TypeScript, the bundled command line. `--ts`: only what is made from TypeScript.
import { existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { installedPlatformPackage } from './lib/platform.mjs'
import { ROOT } from './lib/root.mjs'
import { main, runQuietly } from './lib/run.mjs'

await main(() => {
  if (!process.argv.includes('--ts') && installedPlatformPackage() === undefined) {
    runQuietly(process.execPath, [join(ROOT, 'scripts/build-native.mjs')], { what: 'building native/' })
  }
  // tsc trusts its build info even when the files it wrote are gone.
  if (!existsSync(join(ROOT, 'dist/src'))) rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
  let tsc
  try {
    tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  } catch {
    throw new Error('typescript is not installed: run `npm install` with development dependencies')
  }
  runQuietly(process.execPath, [tsc, '-p', 'tsconfig.json'], { what: 'tsc' })
  const bundle = join(ROOT, 'scripts/build-cli.mjs')
  if (existsSync(bundle)) runQuietly(process.execPath, [bundle], { what: 'bundling the command line' })
})
