import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { CHECKOUT } from '../helpers/checkout.js'
import { JUBAKO } from '../helpers/cli.js'

const BUNDLE = join(CHECKOUT, 'dist/cli/start.cjs')

t.test('the bundle starts from its code cache and without the engine', (t) => {
  t.ok(existsSync(BUNDLE))
  const script = `const before = new Set(process.moduleLoadList)
    const start = require(${JSON.stringify(BUNDLE)})
    start.main(['--version']).then(() => {
      const modules = process.moduleLoadList.filter((name) => !before.has(name))
      const addons = Object.keys(require.cache).filter((name) => name.endsWith('.node'))
      console.log(JSON.stringify({ rejected: start.script.cachedDataRejected, modules, addons }))
    })`
  const [version, facts] = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim().split('\n')
  t.match(version, /^jubako version \d+\.\d+\.\d+$/)
  t.strictSame(JSON.parse(facts!), { rejected: false, modules: ['NativeModule vm'], addons: [] })
  t.end()
})

t.test('the program is found through a link, as npm makes them', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'jubako-link-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  symlinkSync(JUBAKO, join(directory, 'jubako'))
  const run = spawnSync('jubako', ['--version'], {
    encoding: 'utf8',
    cwd: '/',
    env: { ...process.env, PATH: `${directory}:${process.env.PATH}` },
  })
  t.match(run.stdout, /^jubako version /)
  t.equal(run.status, 0)
  t.end()
})

t.test('node keeps its hands off the arguments', (t) => {
  for (const argv of [
    ['--env-file', '/nonexistent'],
    ['run', '--env-file=/nonexistent', 'image'],
  ]) {
    const run = spawnSync(JUBAKO, argv, { encoding: 'utf8' })
    t.match(run.stderr, /^jubako: /, argv.join(' '))
    t.equal(run.status, 125)
  }
  t.end()
})
