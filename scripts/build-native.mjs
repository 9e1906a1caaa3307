// Builds native/ with node-gyp. Quiet unless it fails; does nothing that make would not do again.
//
// The headers are those of the package node-api-headers, not those of the Node in use: the addon needs Node-API alone,
// every machine compiles the same, and nothing is downloaded.
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT } from './lib/root.mjs'
import { main, runQuietly } from './lib/run.mjs'

const require = createRequire(import.meta.url)
const build = join(ROOT, 'build')
const headers = join(build, 'headers')
const stampFile = join(build, 'configured')

/** Lays the headers out as node-gyp expects them below `--nodedir`. */
function layOutHeaders(from) {
  const target = join(headers, 'include/node')
  rmSync(headers, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  cpSync(from, target, { recursive: true, preserveTimestamps: true })
  cpSync(join(ROOT, 'native/common.gypi'), join(target, 'common.gypi'))
}

/** Changes when the makefiles have to be generated again: sources are listed at that time. */
function configureStamp(from) {
  const sources = readdirSync(join(ROOT, 'native'), { recursive: true }).filter((name) => /\.(cc|c|S)$/.test(name))
  const hash = createHash('sha256')
  for (const name of ['binding.gyp', 'native/common.gypi']) hash.update(readFileSync(join(ROOT, name)))
  const manifest = readFileSync(join(from, '../package.json'), 'utf8')
  return hash.update(JSON.stringify([sources.sort(), process.version, process.execPath, manifest, ROOT])).digest('hex')
}

await main(() => {
  let nodeGyp
  let from
  try {
    nodeGyp = require.resolve('node-gyp/bin/node-gyp.js')
    from = require('node-api-headers').include_dir
  } catch {
    throw new Error('node-gyp or node-api-headers is not installed: run `npm install` (with development dependencies)')
  }
  // Warnings are errors in CI only: another compiler's new warning must not stop an installation.
  const flags = process.env.CI ? '-Werror' : ''
  const env = { ...process.env, npm_config_nodedir: headers, CXXFLAGS: flags, CFLAGS: flags }
  const gyp = (...words) => runQuietly(process.execPath, [nodeGyp, ...words], { what: `node-gyp ${words[0]}`, env })
  const stamp = configureStamp(from)
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
    layOutHeaders(from)
    gyp('configure')
    writeFileSync(stampFile, stamp)
  }
  gyp('build', '-j', '2')
})
