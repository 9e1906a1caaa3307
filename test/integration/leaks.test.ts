// lanes: host vm
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { watchLeaks } from '../helpers/leaks.js'

// The check itself: each kind of leak is made on purpose and must be seen, and nothing else.

const settleMs = 100

t.test('nothing done, nothing found', async (t) => {
  await using watch = watchLeaks({ roots: [t.testdir()], settleMs })
  t.strictSame(await watch.found(), [])
})

t.test('a file, and one that may appear', async (t) => {
  const root = t.testdir()
  const watch = watchLeaks({ roots: [root], mayAppear: /\/cache(\/|$)/, settleMs })
  mkdirSync(join(root, 'cache/deep'), { recursive: true })
  t.strictSame(await watch.found(), [])
  writeFileSync(join(root, 'left'), '')
  t.strictSame(await watch.found(), [`+ file: ${join(root, 'left')}`])
  await t.rejects(watch.check(), /leaked:\n {2}\+ file: /)
})

t.test('a descriptor', async (t) => {
  const watch = watchLeaks({ settleMs })
  const fd = openSync('/dev/zero', 'r')
  t.strictSame(await watch.found(), [`+ descriptor: ${fd} -> /dev/zero`])
  closeSync(fd)
  t.strictSame(await watch.found(), [])
})

t.test('a child process, also as a zombie of somebody else', async (t) => {
  const watch = watchLeaks({ settleMs })
  const child = spawn('sleep', ['600'], { stdio: 'ignore' })
  const found = await watch.found()
  t.match(found, [/process: \d+ \(started at \d+, alive\) sleep 600/])
  child.kill()
  await new Promise((settle) => child.on('close', settle))
  t.strictSame(await watch.found(), [])
})

t.test('a process that only holds a file below a root', async (t) => {
  const root = t.testdir({ lock: '' })
  const watch = watchLeaks({ roots: [root], settleMs })
  const pid = Number(
    execFileSync('sh', ['-c', `setsid sleep 600 <${root}/lock >/dev/null 2>&1 & echo $!`], { encoding: 'utf8' }),
  )
  t.match(await watch.found(), [/process: .* sleep 600/])
  process.kill(pid)
  t.strictSame(await watch.found(), [])
})

t.test('a cgroup and its member', async (t) => {
  const name = `jubako-leaks-${process.pid}`
  const top = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids'
  mkdirSync(join(top, name))
  t.teardown(() => rmdirSync(join(top, name)))
  const watch = watchLeaks({ cgroups: [name], settleMs })
  const directory = join(top, name, 'child')
  mkdirSync(directory)
  t.strictSame(await watch.found(), [`+ cgroup: ${directory}`])
  rmdirSync(directory)
  t.strictSame(await watch.found(), [])
})

t.test('a mount, a link and a network namespace', async (t) => {
  const root = t.testdir()
  const watch = watchLeaks({ settleMs })
  execFileSync('mount', ['-t', 'tmpfs', 'leak', root])
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  t.match(await watch.found(), [`+ mount: ${root} / tmpfs leak`])
  execFileSync('umount', [root])
  const link = `jl${process.pid}`
  execFileSync('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', `${link}p`])
  t.strictSame((await watch.found()).sort(), [`+ network link: ${link}`, `+ network link: ${link}p`])
  execFileSync('ip', ['link', 'del', link])
  const child = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' })
  await new Promise((settle) => setTimeout(settle, 200))
  t.ok((await watch.found()).some((line) => line.startsWith('+ network namespace: net:[')))
  child.kill()
  await new Promise((settle) => child.on('close', settle))
  t.strictSame(await watch.found(), [])
})
