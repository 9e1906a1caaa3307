import t from 'tap'
import type { EngineEvent } from '../../src/index.js'
import { testEngine } from '../helpers/engine.js'

const named = ({ action, actor }: EngineEvent): string => {
  const { exitCode, signal } = actor.attributes
  return [action, exitCode ?? signal].filter((part) => part !== undefined).join(' ')
}

t.test('the whole life of a container is told, by whoever does it', async (t) => {
  const it = await testEngine(t)
  const seen: EngineEvent[] = []
  const all = it.engine.events({ filters: { type: ['container'] } })
  const listening = (async () => {
    for await (const event of all) {
      seen.push(event)
      if (event.action === 'destroy') return
    }
  })()
  const container = await it.engine.run(it.image, ['sh', '-c', 'trap "exit 3" TERM; echo up; sleep 100 & wait'], {
    name: 'told',
    labels: { tier: 'front' },
    detached: true,
  })
  for await (const _ of container.logs({ follow: true })) break
  await (await container.exec(['sh', '-c', 'exit 7'])).wait()
  await container.pause()
  await container.unpause()
  await container.stop()
  await container.start()
  await container.remove({ force: true })
  await listening
  t.same(seen.map(named), [
    'create',
    'start',
    'exec_create: sh -c exit 7',
    'exec_start: sh -c exit 7',
    'exec_die 7',
    'pause',
    'unpause',
    'kill 15',
    'die 3',
    'stop',
    'start',
    'kill 9',
    'die 137',
    'destroy',
  ])
  t.match(seen[0]?.actor, { id: container.id, attributes: { image: it.image, name: 'told', tier: 'front' } })
  t.match(seen.at(4)?.actor.attributes.execID, /^[0-9a-f]{64}$/)
  const times = seen.map(({ timeNano }) => timeNano)
  t.ok(times.at(0)! < times.at(-1)!)
  await it.checkLeaks()
})

t.test('what a supervisor does alone is told: the end, out of memory, the removal', async (t) => {
  const it = await testEngine(t)
  const since = Date.now()
  // The first process survives no OOM kill here: it is what grows.
  const container = await it.engine.run(it.image, ['sh', '-c', 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'], {
    name: 'greedy',
    memory: 8 << 20,
    detached: true,
    autoRemove: true,
  })
  const { id } = container
  const actions: string[] = []
  for await (const event of it.engine.events({ since, filters: { container: [id] } })) {
    actions.push(named(event))
    if (event.action === 'destroy') break
  }
  t.same(actions, ['create', 'start', 'oom', 'die 137', 'destroy'])
  await it.checkLeaks()
})
