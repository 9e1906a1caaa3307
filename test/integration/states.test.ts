// lanes: host
// Every operation in every state. What is expected was recorded from docker's own command line.
import { Readable } from 'node:stream'
import t from 'tap'
import type { Container, ContainerState } from '../../src/index.js'
import { file, tar } from '../fixtures/tar.js'
import { type TestEngine, testEngine } from '../helpers/engine.js'
import { until } from '../helpers/until.js'

type Start = 'created' | 'failed' | 'running' | 'paused' | 'restarting' | 'exited'
/** The state afterwards (`begun`: a next life, that may be over already), or what is said of a refusal, after which the state is as it was. */
type Outcome = ContainerState | 'gone' | 'begun' | RegExp

const STATES: readonly Start[] = ['created', 'failed', 'running', 'paused', 'restarting', 'exited']
const SLEEP = ['sleep', '1000']
/** Ends at its first start and stays at the next. */
const ONCE = ['sh', '-c', 'test -e /ran && exec sleep 1000; touch /ran; exit 3']

const not = /is not running/
const waits = /is restarting, wait until the container is running/
const notPaused = /is not paused/
const nosuch = /\/no\/such/
const same: Outcome[] = ['created', 'created', 'running', 'paused', 'restarting', 'exited']

interface Operation {
  act: (container: Container) => Promise<unknown>
  /** One for each of {@link STATES}. */
  expected: readonly Outcome[]
}

const attach = async (container: Container): Promise<void> => {
  const attachment = await container.attach({ stdin: false })
  attachment.detach()
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  start: {
    act: (it) => it.start(),
    expected: ['running', nosuch, 'running', /cannot start a paused container, try unpause/, 'restarting', 'running'],
  },
  stop: {
    act: (it) => it.stop({ timeout: 0 }),
    expected: ['created', 'created', 'exited', 'exited', 'exited', 'exited'],
  },
  restart: {
    act: (it) => it.restart({ timeout: 0 }),
    expected: ['running', nosuch, 'running', 'running', 'begun', 'running'],
  },
  kill: { act: (it) => it.kill(), expected: [not, not, 'exited', 'exited', 'exited', not] },
  // As process 1 without a handler, sleep ignores it; a paused one is woken by its stop signal.
  'kill -s TERM': { act: (it) => it.kill('TERM'), expected: [not, not, 'running', 'running', 'exited', not] },
  'kill -s WINCH': { act: (it) => it.kill('WINCH'), expected: [not, not, 'running', 'running', 'exited', not] },
  pause: { act: (it) => it.pause(), expected: [not, not, 'paused', /is already paused/, waits, not] },
  unpause: {
    act: (it) => it.unpause(),
    expected: [notPaused, notPaused, notPaused, 'running', notPaused, notPaused],
  },
  exec: {
    act: async (it) => (await it.exec(['true'])).wait(),
    expected: [not, not, 'running', /is paused, unpause the container before exec/, waits, not],
  },
  attach: { act: attach, expected: [not, not, 'running', 'paused', 'restarting', not] },
  top: { act: (it) => it.top(), expected: [not, not, 'running', 'paused', waits, not] },
  rename: { act: (it) => it.rename(`${it.name}-new`), expected: same },
  update: { act: (it) => it.update({ cpuShares: 100 }), expected: same },
  logs: { act: (it) => Readable.from(it.logs()).toArray(), expected: same },
  diff: { act: (it) => it.changes(), expected: same },
  'cp in': { act: (it) => it.copyIn('/', Readable.from([tar(file('in', 'x'))])), expected: same },
  'cp out': {
    act: async (it) => (await it.copyOut('/etc')).stream.resume().toArray(),
    expected: same,
  },
  export: { act: async (it) => (await it.export()).resume().toArray(), expected: same },
  commit: { act: (it) => it.commit(), expected: same },
  rm: {
    act: (it) => it.remove(),
    expected: [
      'gone',
      'gone',
      /container is running: stop/,
      /is paused: unpause and then stop/,
      /is restarting: stop/,
      'gone',
    ],
  },
  'rm -f': { act: (it) => it.remove({ force: true }), expected: ['gone', 'gone', 'gone', 'gone', 'gone', 'gone'] },
}

/** Containers in a state, one for each operation. */
async function make({ engine, image }: TestEngine, state: Start, count: number): Promise<Container[]> {
  const one = async (i: number): Promise<Container> => {
    const name = `${state}-${i}`
    if (state === 'created') return engine.create(image, SLEEP, { name })
    if (state === 'failed') {
      const failed = await engine.create(image, ['/no/such'], { name })
      await failed.start().catch(() => {})
      return failed
    }
    if (state === 'exited' || state === 'restarting') {
      const command = state === 'exited' ? ONCE : ['false']
      const restart = state === 'exited' ? ({ policy: 'no' } as const) : ({ policy: 'always' } as const)
      return engine.run(image, command, { name, detached: true, restart })
    }
    const running = await engine.run(image, SLEEP, { name, detached: true })
    if (state === 'paused') await running.pause()
    return running
  }
  const made: Container[] = []
  for (let i = 0; i < count; i++) made.push(await one(i))
  return made
}

/** Until it is what it was made to be. The wait before a sixth restart is longer than all that is done in it. */
async function ready(container: Container, state: Start): Promise<void> {
  if (state !== 'exited' && state !== 'restarting') return
  await until(async () => {
    const now = await container.summary()
    return now.state === state && (state === 'exited' || now.restartCount >= 6)
  })
}

/** @returns what is said of a refusal, and the state afterwards */
async function outcome({ engine }: TestEngine, container: Container, act: Operation['act']): Promise<string> {
  const refusal = await act(container).then(
    () => '',
    (error: Error) => `${error.message} - `,
  )
  const after = (await engine.containers({ all: true })).find(({ id }) => id === container.id)
  return `${refusal}${after?.state ?? 'gone'}`
}

t.test('every operation in every state', async (t) => {
  const it = await testEngine(t)
  const operations = Object.entries(OPERATIONS)
  const all = await Promise.all(STATES.map((state) => make(it, state, operations.length)))
  for (const [s, state] of STATES.entries()) {
    await Promise.all(
      operations.map(async ([name, { act, expected }], i) => {
        const container = all[s]![i]!
        await ready(container, state)
        const got = await outcome(it, container, act)
        const wanted = expected[s]!
        const before = same[s] as string
        const what = `${name} of a ${state} one: ${got}`
        if (wanted === 'begun') t.match(got, /^(running|restarting)$/, what)
        else if (typeof wanted === 'string') t.equal(got, wanted, what)
        else t.match(got, new RegExp(`(${wanted.source}).* - ${before}$`, 's'), what)
      }),
    )
  }
  for (const container of all.flat()) await container.remove({ force: true }).catch(() => {})
  // Those of `commit`.
  for (const { id } of await it.engine.images()) if (id !== it.image) await it.engine.removeImage(id)
  await it.checkLeaks()
})
