// lanes: host
// Logs: nothing is lost to who reads, and nothing that happens to a log stops its container.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Container } from '../../src/index.js'
import { cli } from '../helpers/cli.js'
import { type TestEngine, testEngine } from '../helpers/engine.js'
import { until } from '../helpers/until.js'

const sh = (script: string) => ['sh', '-c', script]
const LINES = 150_000
/** 9 bytes and more a line, as fast as the container can. */
const count = `awk 'BEGIN { for (i = 1; i <= ${LINES}; i++) print "line " i }'`

const folder = (it: TestEngine, container: Container) => join(it.root, 'containers', container.id)

/** Puts a container's directory on a disk of its own. */
async function smallDisk(t: Test, directory: string, size: string): Promise<{ unmount(): void }> {
  const saved = mkdtempSync(join(tmpdir(), 'jubako-full-'))
  cpSync(directory, saved, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'full', directory])
  let mounted = true
  const unmount = () => {
    if (mounted) execFileSync('umount', ['-l', directory])
    mounted = false
    rmSync(saved, { recursive: true, force: true })
  }
  t.teardown(unmount)
  cpSync(saved, directory, { recursive: true })
  return { unmount }
}

/** Whether lines that come in pieces are all of them, in their order. */
function checker(): { push(data: Buffer): void; seen: number; wrong: string } {
  let rest = ''
  const self = {
    seen: 0,
    wrong: '',
    push(data: Buffer) {
      const lines = (rest + data.toString('latin1')).split('\n')
      rest = lines.pop()!
      for (const line of lines) {
        self.seen++
        if (line !== `line ${self.seen}` && self.wrong === '') self.wrong = `${line} instead of ${self.seen}`
      }
    },
  }
  return self
}

t.test('a follower that is slow loses no line across rotations', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.create(it.image, sh(count), { logOptions: { 'max-size': '2m', 'max-file': '4' } })
  await container.start()
  const check = checker()
  for await (const batch of container.logBatches({ follow: true })) {
    for (const { data } of batch) check.push(data)
    if (check.seen % 7 === 0) await sleep(1)
  }
  t.equal(check.wrong, '')
  t.equal(check.seen, LINES)
  t.match(await container.wait(), { exitCode: 0 })
  const files = readdirSync(folder(it, container)).filter((name) => name.startsWith('log.json'))
  t.same(files.sort(), ['log.json', 'log.json.1', 'log.json.2', 'log.json.3'])
  for (const name of files) t.ok(statSync(join(folder(it, container), name)).size <= 2 * 2 ** 20 + 256 * 1024)
  await container.remove()
  await it.checkLeaks()
})

t.test('who is attached gets every byte, however slowly it reads', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sh(`read go; ${count}`), {
    detached: true,
    stdin: true,
    logDriver: 'none',
  })
  const all = await Promise.all([0, 1, 2].map(() => container.attach({ stdin: false })))
  const writer = await container.attach()
  writer.stdout.resume()
  writer.stderr?.resume()
  const checks = all.map(async (attachment, i) => {
    attachment.stderr?.resume()
    const check = checker()
    let chunks = 0
    for await (const chunk of attachment.stdout) {
      check.push(chunk as Buffer)
      if (++chunks % (10 * (i + 1)) === 0) await sleep(1)
    }
    return [check.wrong, check.seen]
  })
  writer.stdin!.write('go\n')
  t.same(await Promise.all(checks), [
    ['', LINES],
    ['', LINES],
    ['', LINES],
  ])
  await container.remove({ force: true })
  await it.checkLeaks()
})

t.test(
  'a reader that stops reading holds its container up for a moment only, and finds all when it reads on',
  async (t) => {
    const it = await testEngine(t)
    const container = await it.engine.run(it.image, sh(`read go; ${count}; ${count}; ${count}; echo end >&2`), {
      detached: true,
      stdin: true,
      logDriver: 'none',
      // What `--rm` removes is gone before it is read.
      autoRemove: true,
      attach: {},
    })
    const other = await container.attach({ stdin: false })
    container.stdin!.write('go\n')
    // It writes more than sockets and memory take, and nobody reads: neither who started it nor who came later.
    t.match(await container.wait(), { exitCode: 0 })
    await until(async () => (await it.engine.containers({ all: true })).length === 0)
    for (const { stdout, stderr } of [container, other]) {
      const check = checker()
      let ended = ''
      stderr!.on('data', (chunk) => {
        ended += chunk
      })
      for await (const chunk of stdout!) check.push(chunk as Buffer)
      t.match(check.wrong, /^line 1 instead of/, 'it began again')
      t.equal(check.seen, 3 * LINES)
      t.equal(ended, 'end\n')
    }
    t.match(await other.ended, { exitCode: 0 })
    await it.checkLeaks()
  },
)

t.test('what a reader that lags cannot be kept is told to it', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.create(it.image, sh(`read go; ${count}; ${count}; ${count}; exit 3`), {
    stdin: true,
    logDriver: 'none',
  })
  const small = await smallDisk(t, folder(it, container), '512k')
  await container.start()
  const attachment = await container.attach()
  attachment.stdin!.write('go\n')
  t.match(await container.wait(), { exitCode: 3 })
  attachment.stderr?.resume()
  const check = checker()
  await t.rejects(
    async () => {
      for await (const chunk of attachment.stdout) check.push(chunk as Buffer)
    },
    { code: 'ERR_JUBAKO_LIMIT_EXCEEDED', message: /was not read for too long/ },
  )
  t.match(check.wrong, /^line 1 instead of/, 'it began again')
  t.ok(check.seen > LINES && check.seen < 3 * LINES, `${check.seen} lines came`)
  t.match(await attachment.ended, { exitCode: 3 })
  await until(async () => (await container.summary()).state === 'exited')
  small.unmount()
  await container.remove({ force: true })
  await it.checkLeaks()
})

t.test('older files are compressed, and read all the same', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sh(count), {
    detached: true,
    logDriver: 'local',
    logOptions: { 'max-size': '2m', 'max-file': '20' },
  })
  await container.wait()
  const check = checker()
  for await (const { data } of container.logs()) check.push(data)
  t.same([check.wrong, check.seen], ['', LINES])
  const files = readdirSync(folder(it, container)).filter((name) => name.startsWith('log.json'))
  t.ok(files.includes('log.json') && files.includes('log.json.1') && files.includes('log.json.2.gz'), files.join(' '))
  t.ok(
    files.slice(2).every((name) => name.endsWith('.gz')),
    files.join(' '),
  )
  let tail = ''
  for await (const { data } of container.logs({ tail: 2 })) tail += data.toString()
  t.equal(tail, `line ${LINES - 1}\nline ${LINES}\n`)
  await container.remove()
  await it.checkLeaks()
})

t.test('a full disk costs lines of the log, and is told when there is room again', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.create(it.image, sh('while read line; do echo "$line"; done'), { stdin: true })
  const directory = folder(it, container)
  const small = await smallDisk(t, directory, '1m')
  await container.start()
  const attachment = await container.attach()
  let echoed = ''
  attachment.stdout.on('data', (chunk) => {
    echoed += chunk
  })
  attachment.stderr?.resume()
  const say = async (text: string) => {
    attachment.stdin!.write(`${text}\n`)
    await until(() => echoed.endsWith(`${text}\n`))
  }
  await say('before')
  const filler = join(directory, 'filler')
  t.throws(() => writeFileSync(filler, Buffer.alloc(2 ** 21)), { code: 'ENOSPC' })
  for (let i = 0; i < 20; i++) await say(`lost ${i} ${'x'.repeat(1000)}`)
  t.equal((await container.summary()).state, 'running')
  rmSync(filler)
  await say('after')
  attachment.stdin!.end()
  t.match(await container.wait(), { exitCode: 0 })
  const lines: string[] = []
  for await (const { data } of container.logs()) lines.push(data.toString())
  t.equal(lines[0], 'before\n')
  t.equal(lines.at(-1), 'after\n')
  t.match(lines.at(-2), /^jubako: \d+ bytes of log lost/)
  await until(async () => (await container.summary()).state === 'exited')
  small.unmount()
  await container.remove({ force: true })
  await it.checkLeaks()
})

t.test('options of a log', async (t) => {
  const it = await testEngine(t)
  const jubako = cli(it)
  const flags = ['--label', 'a=1', '--label', 'b.c=2', '-e', 'X=y z', '--log-opt', 'tag={{.Name}}/{{.ImageName}}']
  const more = ['--log-opt', 'labels=a', '--log-opt', 'labels-regex=^b', '--log-opt', 'env=X', '--name', 'tagged']
  t.match(await jubako.run(['run', ...flags, ...more, it.image, 'echo', 'hi']), { code: 0, stdout: 'hi\n' })
  const { stdout } = await jubako.run(['logs', '--details', 'tagged'])
  t.equal(stdout, `X=y%20z,a=1,b.c=2,tag=tagged%2F${encodeURIComponent(it.image)} hi\n`)
  const container = await it.engine.container('tagged')
  const [line] = readFileSync(join(folder(it, container), 'log.json'), 'utf8').split('\n')
  t.match(JSON.parse(line!), { log: 'hi\n', stream: 'stdout', attrs: { a: '1', X: 'y z' }, time: /^\d{4}-.*Z$/ })
  const refused = async (expected: RegExp, ...options: string[]) => {
    const { code, stderr } = await jubako.run(['run', ...options, it.image, 'true'])
    t.equal(code, 125)
    t.match(stderr, expected)
  }
  await refused(/unknown log opt 'foo' for json-file log driver/, '--log-opt', 'foo=1')
  await refused(/unknown log opt 'tag' for local log driver/, '--log-driver', 'local', '--log-opt', 'tag=x')
  await refused(/invalid logging opts for driver none/, '--log-driver', 'none', '--log-opt', 'max-size=1k')
  await refused(/max-file cannot be less than 1/, '--log-opt', 'max-file=0')
  await refused(/invalid value for max-size/, '--log-opt', 'max-size=abc')
  await refused(/invalid value for tag/, '--log-opt', 'tag={{.Nope}}')
  await refused(/log driver 'syslog' is not available/, '--log-driver', 'syslog')
  await container.remove()
  await it.checkLeaks()
})
