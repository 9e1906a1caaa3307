import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type CgroupPlan, detectCgroups, type Resources } from '../../src/cgroups/index.js'
import { parseCgroupMounts } from '../../src/cgroups/mounts.js'
import { V1Host } from '../../src/cgroups/v1/host.js'
import { perform, runIn, startIn, sweep, testParent } from '../helpers/cgroups.js'

if (process.getuid?.() !== 0) t.bailout('cgroups need root')

const host = detectCgroups()
const placement = { parent: testParent }
t.teardown(sweep)
t.comment(`cgroup v${host.version}: ${host.controllers.join(' ')}`)

let made = 0
function create(resources: Resources): { plan: CgroupPlan; id: string } {
  const id = `c${++made}`
  const plan = host.plan(id, resources, null, placement)
  perform(plan)
  return { plan, id }
}

const MiB = 2 ** 20
const v = <T>(one: T, two: T): T => (host.version === 1 ? one : two)
const file = (plan: CgroupPlan, name: string): string => {
  const directory = plan.directories.find((d) => existsSync(`${d}/${name}`))
  return directory === undefined ? '(missing)' : readFileSync(`${directory}/${name}`, 'utf8').trim()
}

t.test('every limit arrives in the kernel', async (t) => {
  const limits = { memory: 64 * MiB, memorySwap: 96 * MiB, memoryReservation: 32 * MiB, cpus: 0.5, cpuShares: 512 }
  const { plan } = create({ ...limits, pidsLimit: 20, cpusetCpus: '0', cpusetMems: '0' })
  t.equal(file(plan, v('memory.limit_in_bytes', 'memory.max')), String(64 * MiB))
  t.equal(file(plan, v('memory.soft_limit_in_bytes', 'memory.low')), String(32 * MiB))
  const swap = file(plan, v('memory.memsw.limit_in_bytes', 'memory.swap.max'))
  if (swap === '(missing)') t.ok(plan.warnings.some((text) => text.includes('swap limit')))
  else t.equal(swap, String(v(96, 32) * MiB))
  if (host.version === 1) {
    t.equal(file(plan, 'cpu.cfs_quota_us'), '50000')
    t.equal(file(plan, 'cpu.cfs_period_us'), '100000')
    t.equal(file(plan, 'cpu.shares'), '512')
  } else {
    t.equal(file(plan, 'cpu.max'), '50000 100000')
    t.equal(file(plan, 'cpu.weight'), '59')
  }
  t.equal(file(plan, 'pids.max'), '20')
  t.equal(file(plan, 'cpuset.cpus'), '0')
  const { stdout } = await runIn(plan, 'grep Cpus_allowed_list /proc/self/status; cat /proc/self/cgroup')
  t.match(stdout, /Cpus_allowed_list:\t0\n/, 'the process runs where it may')
  const paths = stdout.split('\n').filter((line) => line.endsWith(plan.path))
  t.equal(paths.length >= v(host.controllers.length - 1, 1), true, 'the process is in every hierarchy')
})

t.test('an unlimited container writes nothing', async (t) => {
  const { plan } = create({})
  t.strictSame(plan.writes, [])
  t.strictSame(plan.parentWrites, [], 'the parent was prepared by the first one')
  t.equal((await runIn(plan, 'exit 3')).code, 3)
})

t.test('the pids limit holds', async (t) => {
  const { plan } = create({ pidsLimit: 5 })
  const { stdout } = await runIn(plan, 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done >/dev/null 2>&1; echo done')
  t.notMatch(stdout, /done/, 'dash gives up when it cannot fork')
})

t.test('the OOM killer is told apart from a plain SIGKILL', async (t) => {
  const { plan, id } = create({ memory: 16 * MiB, memorySwap: 16 * MiB })
  const cgroup = host.open(id, placement)
  const plain = startIn(plan, 'exec sleep 60')
  await until(() => cgroup.processes().includes(plain.pid!))
  plain.kill('SIGKILL')
  await once(plain, 'exit')
  t.equal(cgroup.oomKills(), 0)
  // One process that takes 64 MiB.
  const result = await runIn(plan, 'exec head -c 64M /dev/zero | tail')
  t.equal(cgroup.oomKills() > 0, true)
  const counter = new RegExp(`^${plan.oom!.key} ([0-9]+)$`, 'm').exec(readFileSync(plan.oom!.path, 'utf8'))
  t.equal(Number(counter?.[1]), cgroup.oomKills(), 'the plan names the counter')
  t.not(result.code, 0)
})

t.test('freeze and thaw', async (t) => {
  const { plan, id } = create({})
  const cgroup = host.open(id, placement)
  const child = startIn(plan, 'while :; do :; done')
  await until(() => cgroup.processes().includes(child.pid!))
  const used = (): number => cgroup.stats().cpu.usageNs
  t.equal(cgroup.state(), 'thawed')
  await cgroup.freeze()
  t.equal(cgroup.state(), 'frozen')
  const frozen = used()
  await sleep(50)
  t.equal(used() - frozen < 20e6, true, 'no CPU time while frozen')
  await cgroup.thaw()
  t.equal(cgroup.state(), 'thawed')
  await until(() => used() - frozen > 20e6)
  await cgroup.freeze()
  await cgroup.kill()
  t.strictSame(cgroup.processes(), [], 'a frozen container can be killed')
})

t.test('kill reaches everything, also in a child cgroup and while it forks', async (t) => {
  const { plan, id } = create({ pidsLimit: 200 })
  const cgroup = host.open(id, placement)
  const child = startIn(plan, '(while :; do sleep 60 & sleep 0.01; done) & (trap "" TERM INT HUP; sleep 60) & wait')
  await until(() => cgroup.processes().length > 5)
  const below = `${plan.directories.at(-1)}/below`
  mkdirSync(below)
  writeFileSync(`${below}/cgroup.procs`, String(child.pid))
  t.not(readFileSync(`${below}/cgroup.procs`, 'utf8'), '')
  const exited = once(child, 'exit')
  await cgroup.kill()
  t.strictSame(cgroup.processes(), [])
  t.strictSame(await exited, [null, 'SIGKILL'])
  await cgroup.remove()
  t.equal(cgroup.exists(), false)
  await cgroup.remove()
  t.pass('removing what is gone is fine')
  await cgroup.kill()
  t.pass('killing what is gone is fine')
})

t.test('stats', async (t) => {
  const { plan, id } = create({ memory: 64 * MiB, pidsLimit: 10, cpus: 0.2 })
  const cgroup = host.open(id, placement)
  const child = startIn(plan, 'x=$(head -c 2M /dev/zero | tr "\\0" x); while :; do :; done')
  await until(() => cgroup.stats().cpu.throttledPeriods > 1 && cgroup.stats().pids.current === 1)
  const { cpu, memory, pids } = cgroup.stats()
  t.equal(cpu.usageNs > 20e6 && cpu.usageNs < 60e9, true)
  t.equal(cpu.periods >= cpu.throttledPeriods && cpu.throttledNs > 0, true)
  t.equal(memory.limit, 64 * MiB)
  t.equal(memory.usage > 2 * MiB && memory.usage < 64 * MiB, true)
  t.strictSame(pids, { current: 1, limit: 10 })
  child.kill('SIGKILL')
  await once(child, 'exit')
})

t.test('update a living container', async (t) => {
  const { plan, id } = create({ memory: 64 * MiB, memorySwap: 64 * MiB })
  const cgroup = host.open(id, placement)
  const child = startIn(plan, 'exec sleep 60')
  await until(() => cgroup.processes().length === 1)
  const memory = (): number | null => cgroup.stats().memory.limit
  cgroup.update({ memory: 128 * MiB, memorySwap: 256 * MiB })
  t.equal(memory(), 128 * MiB, 'both rise')
  cgroup.update({ memory: 32 * MiB, memorySwap: 48 * MiB })
  t.equal(memory(), 32 * MiB, 'both fall')
  const swap = file(plan, v('memory.memsw.limit_in_bytes', 'memory.swap.max'))
  if (swap !== '(missing)') {
    t.equal(swap, String(v(48, 16) * MiB))
    t.throws(() => cgroup.update({ memory: 64 * MiB }), { message: /already set memoryswap limit/ })
    cgroup.update({ memory: 40 * MiB })
    t.equal(file(plan, v('memory.memsw.limit_in_bytes', 'memory.swap.max')), String(v(48, 8) * MiB), 'the sum stays')
  }
  cgroup.update({ pidsLimit: 7, cpuShares: 2048, cpusetCpus: '0' })
  t.equal(cgroup.stats().pids.limit, 7)
  t.equal(file(plan, v('cpu.shares', 'cpu.weight')), v('2048', '174'))
  t.equal(file(plan, 'cpuset.cpus'), '0')
  t.match(readFileSync(`/proc/${child.pid}/status`, 'utf8'), /Cpus_allowed_list:\t0\n/)
  child.kill('SIGKILL')
  await once(child, 'exit')
})

t.test('list finds what a crash left', async (t) => {
  const { id, plan } = create({})
  t.equal(host.list(placement).includes(id), true)
  const cgroup = host.open(id, placement)
  await cgroup.remove()
  t.equal(host.list(placement).includes(id), false)
  t.strictSame(
    plan.directories.filter((directory) => existsSync(directory)),
    [],
  )
})

t.test(
  'v1 with nothing but the freezer controller',
  { skip: host.version === 2 && 'no cgroup v1 on this host' },
  async (t) => {
    const mounts = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'), '/sys/fs/cgroup')
    const old = new V1Host(mounts, false)
    const plan = old.plan('old', { pidsLimit: 200 }, null, placement)
    perform(plan)
    t.match(plan, { into: null, kill: { kind: 'procs', freezer: /freezer.state$/ } })
    const cgroup = old.open('old', placement)
    t.teardown(async () => {
      await cgroup.remove()
      rmdirSync(`${mounts.controllers.get('freezer')}${testParent}`)
    })
    const child = startIn(plan, '(while :; do sleep 60 & sleep 0.01; done) & wait')
    await until(() => cgroup.processes().length > 5)
    await cgroup.freeze()
    t.equal(cgroup.state(), 'frozen')
    await cgroup.thaw()
    t.equal(cgroup.state(), 'thawed')
    const exited = once(child, 'exit')
    await cgroup.kill()
    t.strictSame(cgroup.processes(), [])
    t.strictSame(await exited, [null, 'SIGKILL'])
  },
)

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return
    await sleep(5)
  }
  throw new Error(`never true: ${condition}`)
}
