// Builds native/ with node-gyp. Quiet unless it fails; does nothing that make would not do again.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { ROOT } from './lib/root.mjs'
import { main, runQuietly } from './lib/run.mjs'

const stampFile = join(ROOT, 'build', 'configured')

/** Prefix below which `include/node` matches this Node, so that node-gyp need not download headers. */
function headersPrefix() {
  const candidates = [process.env.npm_config_nodedir, dirname(dirname(process.execPath)), '/usr', '/usr/local']
  return candidates.find((prefix) => {
    if (!prefix) return false
    const header = join(prefix, 'include/node/node_version.h')
    if (!existsSync(header)) return false
    const major = /#define NODE_MAJOR_VERSION (\d+)/.exec(readFileSync(header, 'utf8'))?.[1]
    return major === process.versions.node.split('.')[0]
  })
}

/** Changes when the makefiles have to be generated again: sources are listed at that time. */
function configureStamp(prefix) {
  const sources = readdirSync(join(ROOT, 'native'), { recursive: true }).filter((name) => /\.(cc|c|S)$/.test(name))
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'binding.gyp')))
  return hash.update(JSON.stringify([sources.sort(), process.version, process.execPath, prefix, ROOT])).digest('hex')
}

await main(() => {
  const require = createRequire(import.meta.url)
  let nodeGyp
  try {
    nodeGyp = require.resolve('node-gyp/bin/node-gyp.js')
  } catch {
    throw new Error('node-gyp is not installed: run `npm install` with development dependencies')
  }
  const prefix = headersPrefix()
  const gyp = (...args) => {
    const options = prefix ? [`--nodedir=${prefix}`] : []
    return runQuietly(process.execPath, [nodeGyp, ...args, ...options], { what: `node-gyp ${args[0]}` })
  }
  const stamp = configureStamp(prefix)
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
    gyp('configure')
    mkdirSync(dirname(stampFile), { recursive: true })
    writeFileSync(stampFile, stamp)
  }
  gyp('build', '-j', '2')
})
