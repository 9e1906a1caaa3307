import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { eventFields, eventLine, nanoTime } from '../../src/cli/format/event.js'
import { compile } from '../../src/cli/template/index.js'
import { parseTimeNano } from '../../src/cli/values/time.js'
import { Events, nowNano } from '../../src/engine/events.js'
import type { EngineEvent } from '../../src/engine/types.js'

const place = (t: Test): string => {
  const directory = mkdtempSync(join(tmpdir(), 'jubako-events-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

const event = (action: string, more: Partial<EngineEvent> = {}): EngineEvent => ({
  type: 'container',
  action,
  actor: { id: 'c0ffee', attributes: { name: 'web', image: 'debian:12', tier: 'front' } },
  timeNano: nowNano(),
  ...more,
})

async function all(events: AsyncIterable<EngineEvent>): Promise<EngineEvent[]> {
  const list: EngineEvent[] = []
  for await (const it of events) list.push(it)
  return list
}

t.test('what was emitted is read, within since and until', async (t) => {
  const events = new Events(place(t))
  for (const [i, action] of ['one', 'two', 'three'].entries()) {
    events.emit(event(action, { timeNano: BigInt(i + 1) * 1_000_000_000n }))
  }
  const actions = async (options: Parameters<Events['read']>[0]) =>
    (await all(events.read({ until: Date.now() - 1, ...options }))).map(({ action }) => action)
  t.same(await actions({}), ['one', 'two', 'three'])
  t.same(await actions({ since: 2000 }), ['two', 'three'])
  t.same(await actions({ since: 2_000_000_001n }), ['three'])
  t.same(await actions({ until: 2000 }), ['one', 'two'])
})

t.test('filters as docker has them', async (t) => {
  const events = new Events(place(t))
  events.emit(event('start'))
  events.emit(event('exec_create: ls -l'))
  events.emit(event('pull', { type: 'image', actor: { id: 'debian:12', attributes: { name: 'debian' } } }))
  events.emit(event('create', { type: 'volume', actor: { id: 'data', attributes: { driver: 'local' } } }))
  const matching = async (filters: Record<string, string[]>) =>
    (await all(events.read({ until: nowNano() - 1n, filters }))).map(({ action }) => action)
  t.same(await matching({ type: ['image', 'volume'] }), ['pull', 'create'])
  t.same(await matching({ event: ['exec_create'] }), ['exec_create: ls -l'])
  t.same(await matching({ event: ['exec'] }), [])
  t.same(await matching({ container: ['web'], event: ['start'] }), ['start'])
  t.same(await matching({ container: ['c0f'] }), ['start', 'exec_create: ls -l'])
  t.same(await matching({ image: ['debian'] }), ['start', 'exec_create: ls -l', 'pull'])
  t.same(await matching({ label: ['tier=front', 'name'] }), ['start', 'exec_create: ls -l'])
  t.same(await matching({ label: ['tier=back'] }), [])
  t.same(await matching({ volume: ['data'] }), ['create'])
  t.throws(() => events.read({ filters: { foo: ['bar'] } }), { message: "invalid filter 'foo'" })
})

t.test('a follower misses nothing while writers of several threads fill and rename the journal', async (t) => {
  const directory = place(t)
  const events = new Events(directory)
  const padding = 'x'.repeat(20_000)
  const total = 600
  const stop = new AbortController()
  const seen: string[] = []
  const reading = (async () => {
    for await (const { action } of events.read({ signal: stop.signal })) {
      seen.push(action)
      if (seen.length === total) break
    }
  })()
  for (let i = 0; i < total; i++) {
    new Events(directory).emit(event(`n${i}`, { actor: { id: 'a', attributes: { padding } } }))
    // Others have their turn, as between processes; the limit is reached three times.
    if (i % 50 === 0) await sleep(20)
  }
  await reading
  t.same(
    seen,
    Array.from({ length: total }, (_, i) => `n${i}`),
  )
  t.same(readdirSync(join(directory, 'events')).sort(), ['journal', 'journal.1'])
})

t.test('a line that is no event is passed over, and a waiting reader ends with its signal', async (t) => {
  const directory = place(t)
  const events = new Events(directory)
  events.emit(event('before'))
  appendFileSync(join(directory, 'events/journal'), 'nonsense\n{"timeNano":"x"}\n')
  events.emit(event('after'))
  t.same(
    (await all(events.read({ until: Date.now() + 20 }))).map(({ action }) => action),
    ['before', 'after'],
  )
  const stop = new AbortController()
  const waiting = all(events.read({ signal: stop.signal }))
  await sleep(30)
  stop.abort()
  t.same(await waiting, [])
})

t.test('lines and templates', (t) => {
  const it = event('die', { timeNano: 1_795_623_088_155_963_711n })
  t.match(eventLine(it), /T.*\.155963711\S+ container die c0ffee \(image=debian:12, name=web, tier=front\)$/)
  t.match(nanoTime(1n), /^(1970-01-01|1969-12-31)T\d\d:\d\d:\d\d\.000000001(Z|[+-]\d\d:\d\d)$/)
  t.equal(
    compile('{{.Action}} {{.Actor.Attributes.name}} {{.TimeNano}}')(eventFields(it)),
    'die web 1795623088155963711',
  )
  t.equal(
    compile('{{json .}}')(eventFields(it)),
    '{"status":"die","id":"c0ffee","from":"debian:12","Type":"container","Action":"die","Actor":{"ID":"c0ffee",' +
      '"Attributes":{"image":"debian:12","name":"web","tier":"front"}},"scope":"local","time":1795623088,' +
      '"timeNano":1795623088155963711}',
  )
  t.throws(() => compile('{{.Foo}}')(eventFields(it)), /can't evaluate field Foo in type events.Message/)
  t.equal(parseTimeNano('1795623088.155963711', 0), 1_795_623_088_155_963_711n)
  t.equal(parseTimeNano('2026-11-25T16:11:28.155963711Z', 0), 1_795_623_088_155_963_711n)
  t.equal(parseTimeNano('1m', 60_000), 0n)
  t.end()
})
