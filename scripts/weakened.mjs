// `npm run test:weakened -- [PATTERN...]`: builds copies of this checkout without one barrier each, and fails unless the
// tests that guard it fail there. Takes about half a minute for each; not a part of `npm test`.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './lib/root.mjs'
import { main, runQuietly } from './lib/run.mjs'
import { judge, runFile } from './lib/tap.mjs'
import { WEAKENINGS } from './lib/weakenings.mjs'

const PARTS = [
  'native',
  'scripts',
  'src',
  'test',
  'bench',
  'bin',
  'build',
  'dist',
  'binding.gyp',
  'package.json',
  'tsconfig.json',
]

function copyOfCheckout() {
  const place = mkdtempSync(join(tmpdir(), 'jubako-weakened-'))
  for (const part of PARTS) cpSync(join(ROOT, part), join(place, part), { recursive: true, preserveTimestamps: true })
  symlinkSync(join(ROOT, 'node_modules'), join(place, 'node_modules'))
  return place
}

/** Replaces the text that stands once in the file, and gives back what undoes it. */
function weaken(place, { file, from, to }) {
  const path = join(place, file)
  const text = readFileSync(path, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`${file} does not contain once: ${from}`)
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
  return () => writeFileSync(path, text)
}

function build(place) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(place, 'scripts/build.mjs')], {
    cwd: place,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`)
}

await main(async () => {
  const patterns = process.argv.slice(2)
  const wanted = WEAKENINGS.filter(
    ({ name, test }) => patterns.length === 0 || patterns.some((it) => `${name} ${test}`.includes(it)),
  )
  runQuietly(process.execPath, [join(ROOT, 'scripts/build.mjs')], { what: 'the build' })
  const place = copyOfCheckout()
  try {
    for (const weakening of wanted) {
      const undo = weaken(place, weakening)
      build(place)
      const run = await runFile(join(place, `dist/test/${weakening.test}.test.js`), { timeoutMs: 300_000 })
      undo()
      const { failures } = judge(run)
      const green = weakening.red.filter((name) => !failures.includes(name))
      console.log(`${green.length === 0 ? 'red ' : 'GREEN'} ${weakening.name}`)
      for (const name of failures) console.log(`       ${name}`)
      if (green.length === 0) continue
      process.exitCode = 1
      console.log(`     not red: ${green.join('; ')}\n${run.output}`)
    }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
})
