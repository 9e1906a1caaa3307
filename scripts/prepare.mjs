// `npm install` in a checkout: installs what the build needs, then builds. Never part of the published package.
import { join } from 'node:path'
import { ensurePackages } from './lib/apt.mjs'
import { BUILD_PACKAGES } from './lib/packages.mjs'
import { installedPlatformPackage } from './lib/platform.mjs'
import { ROOT } from './lib/root.mjs'
import { main, runQuietly } from './lib/run.mjs'

await main(() => {
  if (process.platform !== 'linux') throw new Error(`jubako runs on Linux only, this is ${process.platform}`)
  if (installedPlatformPackage() === undefined) {
    ensurePackages(BUILD_PACKAGES, 'build jubako')
    process.stderr.write('building jubako (about a minute the first time)\n')
  }
  runQuietly(process.execPath, [join(ROOT, 'scripts/build.mjs')], { what: 'the build' })
})
