import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { collect, finish, runToEnd, testEngine } from '../helpers/engine.js'

const sh = (script: string) => ['sh', '-c', script]

t.test('a command runs in a container of its own', async (t) => {
  const it = await testEngine(t)
  const result = await runToEnd(it, sh('echo out; echo err >&2; echo $$; hostname; exit 7'), { hostname: 'box' })
  t.equal(result.stdout, 'out\n1\nbox\n')
  t.equal(result.stderr, 'err\n')
  t.equal(result.exitCode, 7)
  t.equal(result.signal, null)
  await it.checkLeaks()
})

t.test('standard input ends, and every byte comes back', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, ['cat'], { stdin: true })
  const data = 'x'.repeat(1_000_000)
  container.stdin!.end(data)
  const result = await finish(container)
  t.equal(result.stdout.length, data.length)
  t.equal(result.exitCode, 0)
  await it.checkLeaks()
})

t.test('no signal is ignored or blocked, in a container, below its init, and in an exec', async (t) => {
  const it = await testEngine(t)
  const script = sh('grep -E "^Sig(Blk|Ign)" /proc/self/status; yes | head -n 1')
  const none = 'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\ny\n'
  for (const init of [false, true]) t.equal((await runToEnd(it, script, { init })).stdout, none)
  const container = await it.engine.run(it.image, ['sleep', '1000'])
  const process = await container.exec(script)
  const [stdout] = await Promise.all([collect(process.stdout), collect(process.stderr), process.wait()])
  t.equal(stdout, none)
  await container.close()
  await it.checkLeaks()
})

t.test('exit codes and signals', async (t) => {
  const it = await testEngine(t)
  t.match(await runToEnd(it, sh('kill -9 $$; sleep 9'), { init: true }), { exitCode: 137 })
  const sleeper = await it.engine.run(it.image, ['sleep', '100'])
  await sleeper.kill('SIGKILL')
  t.match(await sleeper.wait(), { exitCode: 137, signal: 'SIGKILL', oomKilled: false })
  await sleeper.close()
  await t.rejects(it.engine.run(it.image, ['nosuch']), {
    code: 'ERR_JUBAKO_COMMAND_NOT_FOUND',
    errnoName: 'ENOENT',
    syscall: 'execve',
    path: 'nosuch',
    step: 'execute',
  })
  await t.rejects(it.engine.run(it.image, ['/etc/passwd']), { code: 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE' })
  await t.rejects(it.engine.run(it.image, ['/etc']), { code: 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE' })
  await t.rejects(it.engine.run(it.image, ['true'], { user: 'nobody-here' }), {
    code: 'ERR_JUBAKO_INVALID_ARGUMENT',
    step: 'user',
    path: 'nobody-here',
  })
  await t.rejects(it.engine.run(it.image, ['true'], { user: '4294967296' }), {
    code: 'ERR_JUBAKO_INVALID_ARGUMENT',
    step: 'user',
  })
  await it.checkLeaks()
})

t.test('the environment, the working directory and the user', async (t) => {
  const it = await testEngine(t)
  const result = await runToEnd(it, sh('pwd; id -u; id -g; echo $A $HOME'), {
    env: { A: '1' },
    workdir: '/made/here',
    user: '1234:55',
  })
  t.equal(result.stdout, '/made/here\n1234\n55\n1 /\n')
  await it.checkLeaks()
})

t.test('two containers of one image do not see each other', async (t) => {
  const it = await testEngine(t)
  const first = await runToEnd(it, sh('echo mine > /etc/mine; cat /etc/mine'))
  const second = await runToEnd(it, sh('cat /etc/mine'))
  t.equal(first.stdout, 'mine\n')
  t.not(second.exitCode, 0)
  await it.checkLeaks()
})

t.test('mounts', async (t) => {
  const it = await testEngine(t)
  const source = join(it.root, '..', 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'file'), 'from the host')
  const bound = await runToEnd(
    it,
    sh('cat /in/file; echo x > /in/new; echo rc=$?; grep -c " /t " /proc/mounts; df -k /t | tail -1'),
    {
      mounts: [
        { type: 'bind', source, target: '/in', readonly: true },
        { type: 'tmpfs', target: '/t', size: 1024 * 1024 },
      ],
    },
  )
  t.match(bound.stdout, /^from the hostrc=1\n1\n.* 1024 /)
  await t.rejects(it.engine.run(it.image, ['true'], { mounts: [{ type: 'bind', source: '/nosuch', target: '/in' }] }), {
    code: 'ERR_JUBAKO_INVALID_ARGUMENT',
    message: 'invalid mount config for type "bind": bind source path does not exist: /nosuch',
  })
  await t.rejects(it.engine.run(it.image, ['true'], { mounts: [{ type: 'tmpfs', target: '/proc/x' }] }), {
    code: 'ERR_JUBAKO_INVALID_ARGUMENT',
  })
  const readonly = await runToEnd(it, sh('echo x > /x'), { readonlyRootfs: true })
  t.not(readonly.exitCode, 0)
  t.match(readonly.stderr, /Read-only file system/)
  await it.checkLeaks()
})

t.test('no mount of ours is in the host’s mount table', async (t) => {
  const it = await testEngine(t)
  const before = readFileSync('/proc/self/mountinfo', 'utf8')
  const container = await it.engine.run(it.image, ['sleep', '100'])
  t.equal(readFileSync('/proc/self/mountinfo', 'utf8'), before)
  await container.close()
  await it.checkLeaks()
})

t.test('limits hold', async (t) => {
  const it = await testEngine(t)
  const hog = await runToEnd(it, sh('dd if=/dev/zero of=/dev/null bs=200M count=1'), {
    memory: 32 * 2 ** 20,
    memorySwap: 32 * 2 ** 20,
  })
  t.match(hog, { exitCode: 137, signal: 'SIGKILL', oomKilled: true })
  const forks = await runToEnd(it, sh('for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait'), { pidsLimit: 4 })
  t.match(forks.stderr, /can't fork|Resource temporarily unavailable/)
  const cpus = await runToEnd(it, sh('cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null'), {
    cpus: 0.5,
  })
  t.match(cpus.stdout, /^50000\b/)
  await t.rejects(it.engine.run(it.image, ['true'], { memory: 1000 }), {
    message: /[Mm]inimum memory limit allowed is 6MB/,
  })
  await it.checkLeaks()
})

t.test('an abort signal kills it', async (t) => {
  const it = await testEngine(t)
  const controller = new AbortController()
  const container = await it.engine.run(it.image, ['sleep', '100'], { signal: controller.signal })
  controller.abort()
  t.match(await container.wait(), { exitCode: 137, signal: 'SIGKILL' })
  await container.close()
  await t.rejects(it.engine.run(it.image, ['true'], { signal: controller.signal }))
  await it.checkLeaks()
})

t.test('a terminal', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, sh('stty -echo; tty; stty size; read line; echo got $line'), {
    tty: true,
    stdin: true,
    columns: 90,
    rows: 30,
  })
  container.stdin!.write('hello\n')
  const result = await finish(container)
  t.match(result.stdout, /\/dev\/(console|pts\/0)\r\n30 90\r\n/)
  t.match(result.stdout, /got hello\r\n$/)
  await it.checkLeaks()
})

t.test('images whose system directories are links are refused or harmless', async (t) => {
  const it = await testEngine(t)
  // The container's own layer is the place where a former run could have put such a link.
  const container = await it.engine.create(it.image, sh('rm -rf /dev; ln -s /tmp /dev'))
  t.teardown(() => container.remove({ force: true }).catch(() => {}))
  const upper = join(it.root, 'containers', container.id, 'upper')
  symlinkSync('/tmp', join(upper, 'dev'))
  await t.rejects(container.start(), { code: 'ERR_JUBAKO_INTEGRITY', step: 'mount' })
  await container.remove()
  await it.checkLeaks()
})
