// What a container of the default profile may do. Never wider than Docker's default (moby's seccomp and oci defaults).
import { existsSync, statSync } from 'node:fs'
import t from 'tap'
import { maskedPaths, readonlyPaths } from '../../src/oci/paths.js'
import { runToEnd, testEngine } from '../helpers/engine.js'

const sh = (script: string) => ['sh', '-c', script]
const dockerMask = '00000000a80425fb'

t.test('capabilities, seccomp and no_new_privs', async (t) => {
  const it = await testEngine(t)
  const status = (text: string, key: string) => new RegExp(`^${key}:\\s*(\\S+)`, 'm').exec(text)?.[1]
  const plain = (await runToEnd(it, ['cat', '/proc/self/status'])).stdout
  for (const key of ['CapPrm', 'CapEff', 'CapBnd']) t.equal(status(plain, key), dockerMask, key)
  for (const key of ['CapInh', 'CapAmb']) t.equal(status(plain, key), '0000000000000000', key)
  t.equal(status(plain, 'Seccomp'), '2')
  t.equal(status(plain, 'NoNewPrivs'), '0')
  const user = (await runToEnd(it, ['cat', '/proc/self/status'], { user: '1000' })).stdout
  for (const key of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb']) t.equal(status(user, key), '0000000000000000', key)
  t.equal(status(user, 'CapBnd'), dockerMask)
  const bare = (
    await runToEnd(it, ['cat', '/proc/self/status'], { capDrop: ['ALL'], securityOpt: ['no-new-privileges'] })
  ).stdout
  t.equal(status(bare, 'CapBnd'), '0000000000000000')
  t.equal(status(bare, 'NoNewPrivs'), '1')
  const open = (await runToEnd(it, ['cat', '/proc/self/status'], { securityOpt: ['seccomp=unconfined'] })).stdout
  t.equal(status(open, 'Seccomp'), '0')
  const added = (await runToEnd(it, ['cat', '/proc/self/status'], { capAdd: ['NET_ADMIN'] })).stdout
  t.equal(BigInt(`0x${status(added, 'CapEff')}`) & (1n << 12n), 1n << 12n)
  await it.checkLeaks()
})

t.test('an exec’d process is confined like the container', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.run(it.image, ['sleep', '60'])
  const process = await container.exec(['cat', '/proc/self/status'])
  let text = ''
  for await (const chunk of process.stdout!) text += chunk
  t.match(text, new RegExp(`CapEff:\\s*${dockerMask}`))
  t.match(text, /CapInh:\s*0000000000000000/)
  t.match(text, /Seccomp:\s*2/)
  await process.wait()
  await container.close()
  await it.checkLeaks()
})

t.test('masked and read-only paths, mounts and devices', async (t) => {
  const it = await testEngine(t)
  const { stdout } = await runToEnd(it, ['cat', '/proc/self/mountinfo'])
  const mounts = stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [left, right] = line.split(' - ')
      const fields = left!.split(' ')
      return { target: fields[4]!, options: fields[5]!.split(','), type: right!.split(' ')[0]! }
    })
  const top = (path: string) => mounts.filter(({ target }) => target === path).at(-1)
  for (const path of readonlyPaths.filter((path) => existsSync(path)))
    t.ok(top(path)?.options.includes('ro'), `${path} is read-only`)
  const { stdout: present } = await runToEnd(
    it,
    sh(`for p in ${maskedPaths.join(' ')}; do test -e $p && echo $p; done`),
  )
  for (const path of present.trim().split('\n')) {
    if (!maskedPaths.includes(path)) continue
    t.ok(top(path), `${path} is masked`)
    t.equal(top(path)?.type, 'tmpfs', path)
  }
  const guarded: [string, string[]][] = [
    ['/proc', ['nosuid', 'nodev', 'noexec']],
    ['/sys', ['ro', 'nosuid', 'nodev', 'noexec']],
    ['/sys/fs/cgroup', ['ro', 'nosuid', 'nodev', 'noexec']],
    ['/dev', ['nosuid']],
    ['/dev/pts', ['nosuid', 'noexec']],
    ['/dev/shm', ['nosuid', 'nodev', 'noexec']],
    ['/dev/mqueue', ['nosuid', 'nodev', 'noexec']],
  ]
  for (const [path, flags] of guarded) {
    for (const flag of flags) t.ok(top(path)?.options.includes(flag), `${path} is ${flag}`)
  }
  const { stdout: devices } = await runToEnd(it, sh('cd /dev && find . -type c -o -type b | sort'))
  t.same(
    devices
      .trim()
      .split('\n')
      .filter((name) => !name.startsWith('./pts/')),
    ['./full', './null', './random', './tty', './urandom', './zero'],
  )
  const denied = await runToEnd(it, sh('mknod /tmp/mem c 1 1 && cat /tmp/mem; echo $?; mount -t tmpfs x /mnt; echo $?'))
  t.match(denied.stderr, /Operation not permitted/)
  t.match(denied.stdout, /^1\n[1-9]/)
  await it.checkLeaks()
})

t.test('no descriptor but standard streams, no keyring of the host, no tracing of the starter', async (t) => {
  const it = await testEngine(t)
  const { stdout } = await runToEnd(it, sh('ls /proc/self/fd | wc -l; cat /proc/1/environ | tr "\\0" "\\n" | sort'))
  // The fourth is the directory that ls itself reads.
  t.match(stdout, /^4\n/)
  t.notMatch(stdout, /JUBAKO|npm_|NODE_/)
  await it.checkLeaks()
})

t.test('nobody else can reach the store', async (t) => {
  const it = await testEngine(t)
  for (const path of [it.root, it.runRoot]) t.equal(statSync(path).mode & 0o077, 0, path)
})
