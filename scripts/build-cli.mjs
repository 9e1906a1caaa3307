// Bundles the command line into dist/cli: one script with V8's code cache beside it, so that `jubako` starts in little
// more than the time of an empty node. What a command needs is evaluated when it is called. dist/src must be there.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { ROOT } from './lib/root.mjs'
import { main } from './lib/run.mjs'

const OUT = join(ROOT, 'dist/cli')
const CODE = join(OUT, 'jubako.js')

/** Loads the script with its code cache; a cache of another V8 is ignored. */
const START = `'use strict'
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const { Script } = require('node:vm')
const filename = join(__dirname, 'jubako.js')
let cachedData
try {
  cachedData = readFileSync(join(__dirname, 'jubako.cache'))
} catch {}
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData })
script.runInThisContext()(exports, require, module, filename, __dirname)
module.exports.script = script
`

/** Parts of node that many commands do without, a millisecond or more each: loaded at their first use. */
const LATE =
  'child_process crypto dgram dns/promises fs/promises module net os readline/promises stream stream/promises'
    .split(' ')
    .concat('timers/promises tls zlib'.split(' '))
const LATE_REQUIRE =
  'const __late=(n)=>{let m;const it=()=>m??=require(n);' +
  'return new Proxy({},{get:(_,k)=>k==="default"?it():it()[k],has:(_,k)=>k in it()})};'

/** What is imported is read where it is used, so the module may be one that is not there yet. */
function loadLate(text) {
  return text.replace(/(?:__toESM\()?require\("node:([a-z/_]+)"\)(?:(?:,1)?\))?/g, (all, module) =>
    LATE.includes(module) ? `__late("node:${module}")` : all,
  )
}

/** Runs in a process of its own: what it calls is in the cache as compiled code. */
const WARM = `const { writeFileSync } = require('node:fs')
const start = require(process.argv[1])
start.main(['run', '--help']).then(() => start.main(['ps', '--help'])).then(() => start.warm()).then(() => {
  writeFileSync(process.argv[2], start.script.createCachedData())
  process.exit(0)
})`

await main(async () => {
  rmSync(OUT, { recursive: true, force: true })
  mkdirSync(OUT, { recursive: true })
  const result = await build({
    entryPoints: [join(ROOT, 'dist/src/program.js')],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minifySyntax: true,
    minifyWhitespace: true,
    charset: 'ascii',
    write: false,
    external: ['undici'],
    define: { 'import.meta.url': '__moduleUrl' },
    // import() in a vm.Script would need a callback; require() does for what is bundled or CommonJS.
    supported: { 'dynamic-import': false },
    banner: { js: `const __moduleUrl=require("node:url").pathToFileURL(__filename).href;${LATE_REQUIRE}` },
    logLevel: 'warning',
  })
  const text = loadLate(result.outputFiles[0].text)
  writeFileSync(CODE, `(function(exports,require,module,__filename,__dirname){${text}\n})`)
  writeFileSync(join(OUT, 'start.cjs'), START)
  const warm = spawnSync(process.execPath, ['-e', WARM, join(OUT, 'start.cjs'), join(OUT, 'jubako.cache')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (warm.status !== 0) throw new Error('the bundled command line does not run')
})
