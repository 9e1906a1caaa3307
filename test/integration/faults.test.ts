// Every set-up step is failed once on purpose; afterwards nothing may be left.
import t from 'tap'
import type { RunOptions } from '../../src/index.js'
import type { ProcessPlan, Step } from '../../src/native/index.js'
import { testEngine } from '../helpers/engine.js'

const EDOM = 33

const failing: Step = ['fail', EDOM]
const failAt = (steps: readonly Step[], index: number): Step[] => [
  ...steps.slice(0, index),
  failing,
  ...steps.slice(index),
]

t.test('each step of a full container', async (t) => {
  let alter: ((plan: ProcessPlan) => ProcessPlan) | undefined
  let prepare: ((act: readonly Step[]) => readonly Step[]) | undefined
  const it = await testEngine(t, {
    alterPlan: (plan) => alter?.(plan) ?? plan,
    alterPreparation: (act) => prepare?.(act) ?? act,
  })
  const counts = { preparation: 0, host: 0, beside: 0, child: 0 }
  alter = (plan) => {
    counts.host = plan.host.length
    counts.beside = plan.beside.length
    counts.child = plan.child.length
    return plan
  }
  prepare = (act) => {
    counts.preparation += act.length
    return act
  }
  const options: RunOptions = {
    memory: 64 * 2 ** 20,
    pidsLimit: 50,
    cpus: 0.5,
    readonlyRootfs: true,
    tty: true,
    stdin: true,
    domainname: 'example',
    ulimits: [{ name: 'nofile', soft: 100, hard: 200 }],
    securityOpt: ['no-new-privileges'],
    mounts: [{ type: 'tmpfs', target: '/t' }],
  }
  const whole = await it.engine.run(it.image, ['true'], options)
  t.match(await whole.wait(), { exitCode: 0 })
  await whole.close()
  t.ok(counts.preparation > 8 && counts.host >= 1 && counts.beside > 3 && counts.child > 40, JSON.stringify(counts))
  for (const list of ['preparation', 'host', 'beside', 'child'] as const) {
    for (let index = 0; index < counts[list]; index++) {
      alter = (plan) => (list === 'preparation' ? plan : { ...plan, [list]: failAt(plan[list], index) })
      for (const detached of [false, true]) {
        // An owned container is prepared in two parts, a detached one has its directory already.
        let prepared = 0
        prepare = (act) => {
          const at = index - prepared
          prepared += act.length
          const here = list === 'preparation' && at >= 0 && (detached || at < act.length)
          return here ? failAt(act, at) : act
        }
        const error = await it.engine.run(it.image, ['true'], { ...options, detached, autoRemove: true }).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        if ((error as { step?: string; errno?: number } | undefined)?.step !== 'fail') {
          t.fail(`${list} step ${index}: ${String(error)}`)
        }
      }
    }
    t.pass(`all ${list} steps`)
  }
  alter = undefined
  prepare = undefined
  t.same(await it.engine.containers({ all: true }), [])
  await it.checkLeaks()
})

t.test('a step that fails by itself names its system call', async (t) => {
  const it = await testEngine(t)
  await t.rejects(it.engine.run(it.image, ['true'], { hostname: 'x', sysctls: { 'net.ipv4.nosuch': '1' } }), {
    code: 'ERR_JUBAKO_INVALID_ARGUMENT',
    step: 'sysctl',
    syscall: 'openat2',
    errnoName: 'ENOENT',
    path: 'net/ipv4/nosuch',
    hint: /no such sysctl/,
  })
  await t.rejects(it.engine.run(it.image, ['true'], { ulimits: [{ name: 'nofile', soft: 1, hard: 2 ** 40 }] }), {
    code: 'ERR_JUBAKO_UNSUPPORTED',
    step: 'rlimit',
    hint: /CAP_SYS_RESOURCE/,
  })
  await it.checkLeaks()
})
