import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { CHECKOUT } from '../helpers/checkout.js'

// The harness is plain JavaScript: it builds this file and so cannot be compiled with it.
const script = (name: string) => import(join(CHECKOUT, 'scripts/lib', name))

const run = (output: string, change = {}) => ({
  file: 'x',
  output,
  code: 0,
  signal: null,
  ms: 1,
  timedOut: false,
  ...change,
})

t.test('a file is judged by its top-level tests', async (t) => {
  const { judge } = await script('tap.mjs')
  const good = ['TAP version 14', '# Subtest: a', '    ok 1 - x', '    1..1', 'ok 1 - a', '1..1', ''].join('\n')
  t.strictSame(judge(run(good)), { passed: 1, failures: [], skips: [] })
  t.strictSame(judge(run(good.replace('ok 1 - a', 'not ok 1 - a'), { code: 1 })).failures, ['a'])
})

t.test('skips are found wherever they are nested, with their reasons', async (t) => {
  const { judge } = await script('tap.mjs')
  const nested = ['# Subtest: a', '    ok 1 - x # SKIP needs y', '    1..1', 'ok 1 - a', 'ok 2 - b # SKIP', '1..2', '']
  t.strictSame(judge(run(nested.join('\n'))).skips, [
    { name: 'a > x', reason: 'needs y' },
    { name: 'b', reason: '' },
  ])
  t.strictSame(judge(run('1..0 # no cgroup v2\n')).skips, [{ name: 'the whole file', reason: 'no cgroup v2' }])
})

t.test('what looks like success but is none fails', async (t) => {
  const { judge } = await script('tap.mjs')
  t.match(judge(run('')).failures, [/ran no test|not complete/])
  t.match(judge(run('ok 1 - a\n')).failures, [/not complete/], 'no plan')
  t.match(judge(run('ok 1 - a\n1..2\n')).failures, [/not complete/], 'fewer than planned')
  t.match(judge(run('ok 1 - a\n1..1\n', { code: 1 })).failures, [/exit code 1/])
  t.match(judge(run('ok 1 - a\n1..1\n', { code: null, signal: 'SIGSEGV' })).failures, [/SIGSEGV/])
  t.match(judge(run('ok 1 - a\n1..1\n', { timedOut: true })).failures, [/too long/])
  t.match(judge(run('ok 1 - a # TODO later\n1..1\n')).failures, [/todo/])
})

t.test('a test file that hangs is killed with what it started', async (t) => {
  const { runFile } = await script('tap.mjs')
  const file = join(t.testdir({ 'hang.mjs': hang }), 'hang.mjs')
  const result = await runFile(file, { timeoutMs: 500 })
  t.equal(result.timedOut, true)
  const pid = Number(/pid (\d+)/.exec(result.output)?.[1])
  t.ok(pid > 0)
  t.ok(await eventually(() => !isRunning(pid)))
})

/** False for a zombie: its parent is another process, which reaps it when it likes. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function eventually(holds: () => boolean): Promise<boolean> {
  for (let i = 0; i < 50 && !holds(); i++) await sleep(20)
  return holds()
}

const hang = `
import { spawn } from 'node:child_process'
const child = spawn('sleep', ['60'], { stdio: 'inherit' })
console.log('pid ' + child.pid)
setInterval(() => {}, 1000)
`

t.test('a skip needs a reason to be allowed', async (t) => {
  const { isAllowed } = await script('skips.mjs')
  t.equal(isAllowed({ lane: 'host', file: 'integration/x', name: 'y', reason: '' }), false)
  t.equal(isAllowed({ lane: 'host', file: 'integration/x', name: 'y', reason: 'no time today' }), false)
})

t.test('path calls are found outside comments, strings and native/sys', async (t) => {
  const { findPathCalls } = await script('path-calls.mjs')
  const lines = (file: string, text: string) => findPathCalls(file, text).map(({ line }: { line: number }) => line)
  const bad = [
    'int fd = open(path, O_RDONLY);',
    '::mkdir(p, 0755);',
    'if (mount(a, b, c, 0, 0)) {}',
    'chown (p, 0, 0);',
  ]
  t.strictSame(lines('native/mount/a.cc', bad.join('\n')), [1, 2, 3, 4])
  t.strictSame(lines('native/sys/a.h', bad.join('\n')), [])
  const allowed = Array.from({ length: 3 }, () => '::open(p, 0);')
  t.strictSame(lines('native/spawn/start.cc', allowed.join('\n')), [])
  t.strictSame(
    lines('native/spawn/start.cc', [...allowed, 'open(p, 0);'].join('\n')),
    [1, 2, 3, 4],
    'one more than allowed',
  )
  const good = [
    '// open(path)',
    '/* mkdir(',
    ' chmod( */ x();',
    'f("open(");',
    'sys::open(x)',
    'a->mount(b)',
    'openat2(fd)',
    'reopen(f)',
  ]
  t.strictSame(lines('native/mount/a.cc', good.join('\n')), [])
})

t.test('missing packages are named', async (t) => {
  const { missingPackages } = await script('apt.mjs')
  const rows = [
    { package: 'here', command: 'sh', reason: '' },
    { package: 'also-here', file: ['/no/such/file', '/etc/passwd'], reason: '' },
    { package: 'absent', command: 'no-such-command-at-all', file: '/no/such/file', reason: '' },
  ]
  t.strictSame(
    missingPackages(rows).map((row: { package: string }) => row.package),
    ['absent'],
  )
})
