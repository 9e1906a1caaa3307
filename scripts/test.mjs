// `npm test`: installs what the tests need, builds, lints, runs every test here and in the VM.
// `npm test -- [--no-vm] PATTERN...`: only the test files whose path below test/ contains a pattern, no lint.
import { join } from 'node:path'
import { ensurePackages } from './lib/apt.mjs'
import { testRooms } from './lib/lanes.mjs'
import { leftoversOf } from './lib/leftovers.mjs'
import { BUILD_PACKAGES, TEST_PACKAGES } from './lib/packages.mjs'
import { Report } from './lib/report.mjs'
import { ROOT } from './lib/root.mjs'
import { main, runQuietly } from './lib/run.mjs'
import { pool, runFile } from './lib/tap.mjs'
import { runVmLane } from './lib/vm-lane.mjs'

function check(report, what, args) {
  try {
    runQuietly(process.execPath, args, { what })
    console.log(`ok   ${what}`)
  } catch (error) {
    report.fail(error.message)
  }
}

async function watched(report, what, act) {
  const left = await leftoversOf(act)
  if (left.length > 0) report.fail(`${what} left on this machine:\n${left.map((item) => `     ${item}`).join('\n')}`)
}

await main(async () => {
  const words = process.argv.slice(2)
  const unknown = words.find((word) => word.startsWith('-') && word !== '--no-vm')
  if (unknown) throw new Error(`unknown option ${unknown} (usage: npm test -- [--no-vm] [PATTERN...])`)
  const patterns = words.filter((word) => !word.startsWith('-'))
  const started = performance.now()
  ensurePackages([...BUILD_PACKAGES, ...TEST_PACKAGES], 'run the tests')
  runQuietly(process.execPath, [join(ROOT, 'scripts/build.mjs')], { what: 'the build' })

  const report = new Report()
  if (patterns.length === 0) {
    check(report, 'biome', [join(ROOT, 'node_modules/@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'])
    check(report, 'lint-native', [join(ROOT, 'scripts/lint-native.mjs')])
  }
  const rooms = testRooms(patterns)
  if (rooms.every(({ files }) => files.length === 0)) throw new Error(`no test file matches ${patterns.join(' ')}`)
  if (rooms.some(({ room, files }) => room !== 'suites' && files.length > 0)) {
    runQuietly(process.execPath, [join(ROOT, 'dist/test/fixtures/warm.js')], { what: 'building the test images' })
  }
  for (const { jobs, files } of rooms) {
    const here = files.filter(({ lanes }) => lanes.includes('host'))
    const run = async (file) => report.add('host', file.name, await runFile(file.compiled, file))
    // Of files that run side by side nobody knows whose it was.
    if (jobs > 1) await watched(report, 'the suites', () => pool(here, jobs, run))
    else for (const file of here) await watched(report, file.name, () => run(file))
  }
  const inVm = rooms.flatMap(({ files }) => files).filter(({ lanes }) => lanes.includes('vm'))
  if (inVm.length > 0 && !words.includes('--no-vm')) await runVmLane(inVm, report)

  console.log(`${((performance.now() - started) / 1000).toFixed(0)} s`)
  if (!report.finish()) process.exitCode = 1
})
