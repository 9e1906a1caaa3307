// `npm run bench -- [--rounds N] [--only SECTION] [--output FILE] [--work DIRECTORY]`: see bench/main.ts.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensurePackages } from './lib/apt.mjs'
import { BENCH_PACKAGES, BUILD_PACKAGES } from './lib/packages.mjs'
import { ROOT } from './lib/root.mjs'
import { main, runQuietly } from './lib/run.mjs'

await main(() => {
  ensurePackages([...BUILD_PACKAGES, ...BENCH_PACKAGES], 'run the benchmark')
  runQuietly(process.execPath, [join(ROOT, 'scripts/build.mjs')], { what: 'the build' })
  const program = join(ROOT, 'dist/bench/main.js')
  const result = spawnSync(process.execPath, [program, ...process.argv.slice(2)], { cwd: ROOT, stdio: 'inherit' })
  process.exitCode = result.status ?? 1
})
