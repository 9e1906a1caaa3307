// lanes: host
/** The worker itself: how it is confined, what ends it, and that it reads from whatever is still being written. */
import { spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { unpackLayer } from '../../src/archive/index.js'
import { directory, file, tar } from '../fixtures/tar.js'
import { CHECKOUT } from '../helpers/checkout.js'
import { watchLeaks } from '../helpers/leaks.js'
import { tool } from '../helpers/processes.js'
import { unpackBench } from '../helpers/unpack.js'

/** A pipe with a reader that does not block. */
async function pipe(t: Test, root: string): Promise<{ reader: number; writer: number; path: string }> {
  const path = join(root, 'pipe')
  await tool('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, 'w')
  t.teardown(() => closeSync(reader))
  return { reader, writer, path }
}

async function until<T>(what: string, look: () => T | undefined): Promise<T> {
  for (const end = performance.now() + 10_000; performance.now() < end; await sleep(10)) {
    const found = look()
    if (found !== undefined) return found
  }
  throw new Error(`${what} did not happen`)
}

const read = (path: string) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Processes whose command line names the directory, as the workers' do. */
const workers = (target: string): string[] =>
  readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && read(`/proc/${pid}/cmdline`).includes(target))

t.test('a pipe that is filled while it is read', async (t) => {
  const { root, target } = unpackBench(t)
  const { reader, writer } = await pipe(t, root)
  const archive = tar(directory('d/'), file('d/big', Buffer.alloc(300_000, 'x')), file('last'))
  const unpacking = unpackLayer({ fd: reader, target })
  for (let at = 0; at < archive.length; at += 60_000) {
    await sleep(5)
    writeSync(writer, archive.subarray(at, at + 60_000))
  }
  closeSync(writer)
  t.match(await unpacking, { uncompressed: archive.length, entries: 3 })
  t.equal(readFileSync(join(target, 'last'), 'utf8'), 'last')
})

t.test('a refusal does not wait for the rest of a pipe', async (t) => {
  const { root, target } = unpackBench(t)
  const { reader, writer, path } = await pipe(t, root)
  const bad = Buffer.concat([tar(file('../x')), Buffer.alloc(600_000)])
  let settled = false
  const unpacking = unpackLayer({ fd: reader, target }).finally(() => {
    settled = true
  })
  unpacking.catch(() => {})
  const feeder = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  for (let at = 0; at < bad.length && !settled; await sleep(2)) {
    try {
      at += writeSync(feeder, bad.subarray(at, at + 60_000))
    } catch {
      // full: later
    }
  }
  closeSync(feeder)
  await t.rejects(unpacking, { code: 'ERR_JUBAKO_INTEGRITY', message: /leads out/ }, 'with the pipe still open')
  closeSync(writer)
})

t.test('how the worker is confined', async (t) => {
  const { root, target } = unpackBench(t)
  const { reader, writer } = await pipe(t, root)
  const abort = new AbortController()
  const unpacking = unpackLayer({ fd: reader, target, signal: abort.signal })
  unpacking.catch(() => {})
  const pid = await until('the seccomp filter', () =>
    workers(target).find((pid) => /^Seccomp:\t2$/m.test(read(`/proc/${pid}/status`))),
  )
  const status = read(`/proc/${pid}/status`)
  t.match(status, /^NoNewPrivs:\t1$/m)
  const kept = [0, 1, 3, 4, 27, 31].reduce((mask, bit) => mask + 2 ** bit, 0)
  for (const set of ['CapPrm', 'CapEff', 'CapBnd']) {
    t.match(status, new RegExp(`^${set}:\\t${kept.toString(16).padStart(16, '0')}$`, 'm'), set)
  }
  for (const namespace of ['mnt', 'net', 'ipc', 'uts']) {
    const [own, theirs] = ['self', pid].map((who) => readlinkSync(`/proc/${who}/ns/${namespace}`))
    t.not(own, theirs, namespace)
  }
  t.equal(statSync(`/proc/${pid}/root`).ino, statSync(target).ino, 'its root is the layer')
  t.same(readdirSync(`/proc/${pid}/root`), [])
  const mounts = read(`/proc/${pid}/mountinfo`).trim().split('\n')
  t.equal(mounts.length, 1, 'nothing else is mounted')
  t.match(mounts[0], /nosuid,nodev,noexec/)
  const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
  t.same(
    open.filter((path) => path.startsWith('/') && path !== '/' && path !== '/dev/null' && !path.endsWith('/pipe')),
    [],
  )
  t.match(read(`/proc/${pid}/limits`), /Max address space +1073741824/)

  const watch = watchLeaks()
  abort.abort(new Error('enough'))
  await t.rejects(unpacking, { code: 'ERR_JUBAKO_ABORTED' })
  closeSync(writer)
  await until('the end of the worker', () => (workers(target).length === 0 ? true : undefined))
  t.strictSame(
    (await watch.found()).filter((line) => line.startsWith('+')),
    [],
  )
})

t.test('the worker ends with the process that wanted the layer', async (t) => {
  const { root, target } = unpackBench(t)
  const { writer, path } = await pipe(t, root)
  const script = join(CHECKOUT, 'dist/src/archive/index.js')
  const child = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import { openSync } from 'node:fs'
     const { unpackLayer } = await import(${JSON.stringify(pathToFileURL(script).href)})
     await unpackLayer({ fd: openSync(${JSON.stringify(path)}, 'r'), target: ${JSON.stringify(target)} })`,
  ])
  t.teardown(() => child.kill('SIGKILL'))
  const jailed = await until('the worker', () =>
    workers(target).find((pid) => /^Seccomp:\t2$/m.test(read(`/proc/${pid}/status`))),
  )
  child.kill('SIGKILL')
  await until('the end of the worker', () => (existsSync(`/proc/${jailed}`) ? undefined : true))
  t.pass('although the pipe is still open')
  closeSync(writer)
})
