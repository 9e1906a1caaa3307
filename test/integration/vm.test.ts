// lanes: host
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { makeDisk, runInVm } from '../vm/vm.js'

t.setTimeout(200_000)

t.test('a command runs on a stock kernel with cgroup v2 alone, in this checkout', async (t) => {
  const script = 'uname -r; stat -fc %T /sys/fs/cgroup; stat -fc %T "$TMPDIR"; pwd; echo "$WORD"; exit 7'
  const result = await runInVm(script, { cwd: process.cwd(), env: { WORD: "it's" } })
  const [release, cgroup, scratch, cwd, word] = result.output.split('\n')
  t.match(release, /-cloud-/)
  t.equal(cgroup, 'cgroup2fs')
  t.equal(scratch, 'ext2/ext3')
  t.equal(cwd, process.cwd())
  t.equal(word, "it's")
  t.equal(result.exitCode, 7)
  t.equal(result.ended, 'exit')
})

t.test('writes of the guest stay in the guest', async (t) => {
  const mark = join(t.testdir({ mark: 'host' }), 'mark')
  const result = await runInVm(`echo guest > ${mark}; cat ${mark}`)
  t.equal(result.output, 'guest\n')
  t.equal(readFileSync(mark, 'utf8'), 'host')
})

t.test('a power cut loses what was not flushed and keeps what was', async (t) => {
  const disk = join(tmpdir(), `jubako-power-cut-${process.pid}.img`)
  t.teardown(() => rmSync(disk, { force: true }))
  makeDisk(disk, 2 ** 28)
  const script = 'cd /var/lib/vm; echo kept > kept; sync; echo lost > lost; echo now; sleep 60'
  const cut = await runInVm(script, { disk, powerCutAt: /^now$/m })
  t.equal(cut.ended, 'power cut')
  t.equal(cut.exitCode, null)
  const after = await runInVm('cat /var/lib/vm/kept; cat /var/lib/vm/lost || echo gone', { disk })
  t.match(after.output, /^kept\n/)
  t.notMatch(after.output, /^lost$/m)
})
