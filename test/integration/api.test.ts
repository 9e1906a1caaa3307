// lanes: host
import '../helpers/own-network.js'
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import WebSocket from 'ws'
import { serveApi } from '../../src/api/index.js'
import type { Allow } from '../../src/engine/serve-types.js'
import { Engine } from '../../src/index.js'
import { call, demultiplex, output, startServe, Wire } from '../helpers/api.js'
import { type TestEngine, testEngine } from '../helpers/engine.js'
import { tool } from '../helpers/processes.js'

interface TestApi extends TestEngine {
  socket: string
  close(): Promise<void>
  create(command: string[], more?: Record<string, unknown>): Promise<string>
  start(id: string): Promise<void>
}

let sockets = 0

async function api(t: Test, allow?: Allow, given?: TestEngine): Promise<TestApi> {
  const on = given ?? (await testEngine(t))
  const socket = join(on.runRoot, '..', `api${sockets++}.sock`)
  const server = await serveApi(on.engine, { listen: [{ socket }], ...(allow !== undefined && { allow }) })
  t.teardown(() => server.close())
  const create = async (command: string[], more: Record<string, unknown> = {}) => {
    const host = { NetworkMode: 'none', ...((more.HostConfig as object | undefined) ?? {}) }
    const answer = await call(socket, 'POST', '/containers/create', {
      Image: on.image,
      Cmd: command,
      ...more,
      HostConfig: host,
    })
    if (answer.status !== 201) throw new Error(answer.text)
    return answer.json<{ Id: string }>().Id
  }
  const start = async (id: string) => {
    const answer = await call(socket, 'POST', `/containers/${id}/start`)
    if (answer.status !== 204) throw new Error(answer.text)
  }
  return { ...on, socket, close: () => server.close(), create, start }
}

t.test('what clients ask first', async (t) => {
  const { socket } = await api(t)
  const ping = await call(socket, 'GET', '/_ping')
  t.match(ping, { status: 200, text: 'OK', headers: { 'api-version': '1.51', ostype: 'linux', swarm: 'inactive' } })
  const head = await call(socket, 'HEAD', '/v1.24/_ping')
  t.match(head, { status: 200, text: '', headers: { 'content-length': '0' } })
  t.match((await call(socket, 'GET', '/version')).json(), { ApiVersion: '1.51', MinAPIVersion: '1.24', Os: 'linux' })
  t.match((await call(socket, 'GET', '/v1.41/info')).json(), { OSType: 'linux', Swarm: { LocalNodeState: 'inactive' } })
  t.match(await call(socket, 'GET', '/v1.23/info'), { status: 400 })
  t.match((await call(socket, 'GET', '/system/df')).json(), {
    LayersSize: Number,
    Images: [{ Id: /^sha256:/, Size: Number, SharedSize: Number }],
    Containers: [],
    Volumes: [],
    BuildCache: [],
  })
  t.strictSame(Object.keys((await call(socket, 'GET', '/system/df?type=volume')).json() as object), ['Volumes'])
  t.match((await call(socket, 'GET', '/nothing')).json(), { message: 'page not found' })
  for (const path of ['/swarm', '/nodes', '/services', '/tasks', '/secrets', '/configs', '/nodes/x', '/tasks/x/logs']) {
    t.match(await call(socket, 'GET', path), { status: 503 }, path)
  }
  t.strictSame((await call(socket, 'GET', '/plugins')).json(), [])
  t.match(await call(socket, 'GET', '/plugins/a/b/json'), { status: 404 })
  t.match(await call(socket, 'POST', '/session'), { status: 501 })
  t.equal(statSync(socket).mode & 0o777, 0o660)
})

t.test('a container from its creation to its end', async (t) => {
  const { socket, create, start, engine } = await api(t)
  const id = await create(['sh', '-c', 'echo out; echo err >&2; exit 3'], {
    Env: ['A=b'],
    Labels: { one: 'two' },
    HostConfig: { Memory: 64 * 2 ** 20 },
  })
  const inspect = (await call(socket, 'GET', `/containers/${id}/json?size=1`)).json()
  t.match(inspect, {
    Id: id,
    State: { Status: 'created' },
    HostConfig: { Memory: 64 * 2 ** 20, NetworkMode: 'none' },
    Config: { Labels: { one: 'two' } },
    SizeRw: 0,
  })
  const waiting = call(socket, 'POST', `/containers/${id}/wait?condition=next-exit`)
  const wire = new Wire(
    socket,
    `POST /containers/${id}/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n`,
  )
  await wire.sees('\r\n\r\n')
  t.match(wire.received.toString(), /^HTTP\/1\.1 101 UPGRADED\r\n/)
  t.match(wire.received.toString(), /application\/vnd\.docker\.multiplexed-stream/)
  await start(id)
  t.strictSame((await waiting).json(), { StatusCode: 3 })
  await wire.ended
  t.equal(output(wire.body, 1), 'out\n')
  t.equal(output(wire.body, 2), 'err\n')
  t.match(await call(socket, 'POST', `/containers/${id}/stop`), { status: 304, text: '' })
  t.match(await call(socket, 'POST', `/containers/${id}/kill`), { status: 409 })
  const logs = await call(socket, 'GET', `/containers/${id}/logs?stdout=1&stderr=1&timestamps=1`)
  t.match(output(Buffer.from(logs.text, 'latin1'), 1), /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z out\n$/)
  t.match(await call(socket, 'GET', `/containers/${id}/logs`), { status: 400 })
  t.equal((await call(socket, 'GET', `/containers/${id}/logs?stderr=1&tail=0`)).text, '')
  t.equal((await (await engine.container(id)).summary()).exitCode, 3, 'the library sees the same')
  t.match(await call(socket, 'DELETE', `/containers/${id}`), { status: 204 })
  t.match(await call(socket, 'GET', `/containers/${id}/json`), {
    status: 404,
    text: `{"message":"No such container: ${id}"}\n`,
  })
})

t.test('lists and their filters', async (t) => {
  const { socket, create, start, engine, image } = await api(t)
  const [one, two] = [
    await create(['sleep', '1000'], { Labels: { a: '1' } }),
    await create(['true'], { Labels: { a: '2' } }),
  ]
  await start(one)
  const other = await engine.run(image, ['sleep', '1000'], { name: 'other', detached: true, network: 'none' })
  const ids = async (query: string) =>
    (await call(socket, 'GET', `/containers/json?${query}`)).json<{ Id: string }[]>().map(({ Id }) => Id)
  const filter = (value: unknown) => `filters=${encodeURIComponent(JSON.stringify(value))}`
  t.strictSame(await ids(''), [other.id, one], 'what the library started is there too')
  t.strictSame(await ids('all=1'), [other.id, two, one])
  t.strictSame(await ids('limit=2'), [other.id, two])
  t.strictSame(await ids(`all=true&${filter({ label: ['a=2'] })}`), [two])
  t.strictSame(await ids(filter({ label: { a: true } })), [one])
  t.strictSame(await ids(filter({ status: ['created'] })), [two])
  t.strictSame(await ids(filter({ name: ['^/other$'] })), [other.id])
  t.strictSame(await ids(`all=1&${filter({ since: [one], before: [other.id] })}`), [two])
  t.match(await call(socket, 'GET', `/containers/json?${filter({ nothing: ['x'] })}`), { status: 400 })
  const pruned = (await call(socket, 'POST', '/containers/prune')).json()
  t.strictSame(pruned, { ContainersDeleted: [two], SpaceReclaimed: 0 })
})

t.test('input: half-close, order, back-pressure', async (t) => {
  const { socket, create, start } = await api(t)
  const id = await create(['cat'], { OpenStdin: true, StdinOnce: true, AttachStdin: true })
  const wire = new Wire(
    socket,
    `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n`,
  )
  await wire.sees('\r\n\r\n')
  await start(id)
  const payload = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 7) % 253))
  wire.socket.write(payload)
  wire.socket.end()
  await wire.ended
  t.ok(Buffer.concat(demultiplex(wire.body).map(({ data }) => data)).equals(payload), 'every byte in its order')
  t.strictSame((await call(socket, 'POST', `/containers/${id}/wait`)).json(), { StatusCode: 0 })
})

t.test('hijack without an upgrade, and over a websocket', async (t) => {
  const { socket, create, start } = await api(t)
  const command = ['sh', '-c', 'read line; echo "got $line"']
  const plain = await create(command, { OpenStdin: true, StdinOnce: true })
  const wire = new Wire(
    socket,
    `POST /containers/${plain}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n\r\ntyped early\n`,
  )
  await wire.sees('\r\n\r\n')
  t.match(wire.received.toString(), /^HTTP\/1\.1 200 OK\r\n/)
  t.notMatch(wire.received.toString(), /transfer-encoding|content-length/i)
  await start(plain)
  await wire.ended
  t.equal(output(wire.body, 1), 'got typed early\n')

  const web = await create(command, { OpenStdin: true, StdinOnce: true })
  const client = new WebSocket(`ws+unix://${socket}:/containers/${web}/attach/ws?stream=1&stdin=1&stdout=1`)
  let text = ''
  client.on('message', (data: Buffer) => {
    text += data.toString()
  })
  const closed = new Promise((resolve) => client.on('close', resolve))
  await new Promise((resolve, reject) => client.on('open', resolve).on('error', reject))
  await start(web)
  client.send('through the web\n')
  await closed
  t.equal(text, 'got through the web\n')
})

t.test('a terminal, its size and the detach keys', async (t) => {
  const { socket, create, start } = await api(t)
  const id = await create(['sh'], { Tty: true, OpenStdin: true })
  const wire = new Wire(
    socket,
    `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,x HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n`,
  )
  await wire.sees('raw-stream')
  await start(id)
  t.match(await call(socket, 'POST', `/containers/${id}/resize?h=33&w=111`), { status: 200 })
  wire.socket.write('stty size\n')
  await wire.sees('33 111')
  wire.socket.write('\x01x')
  await wire.ended
  t.match((await call(socket, 'GET', `/containers/${id}/json`)).json(), { State: { Status: 'running' } })
  t.match(await call(socket, 'POST', `/containers/${id}/resize?h=x`), { status: 400 })
})

t.test('exec', async (t) => {
  const { socket, create, start } = await api(t)
  const id = await create(['sleep', '1000'])
  const exec = async (body: Record<string, unknown>) =>
    (await call(socket, 'POST', `/containers/${id}/exec`, body)).json<{ Id: string }>().Id
  t.match(await call(socket, 'POST', `/containers/${id}/exec`, { Cmd: ['true'] }), { status: 409 })
  await start(id)
  const run = await exec({ Cmd: ['sh', '-c', 'cat; exit 7'], AttachStdin: true, AttachStdout: true, Env: ['A=b'] })
  const json = '{"Detach":false,"Tty":false}'
  const wire = new Wire(
    socket,
    `POST /exec/${run}/start HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}input\n`,
  )
  wire.socket.end()
  await wire.ended
  t.equal(output(wire.body, 1), 'input\n')
  t.match((await call(socket, 'GET', `/exec/${run}/json`)).json(), { Running: false, ExitCode: 7, ContainerID: id })
  t.match(await call(socket, 'POST', `/exec/${run}/start`, {}), { status: 409 }, 'not twice')
  const missing = await exec({ Cmd: ['/nothing'], AttachStdout: true })
  const answer = await call(socket, 'POST', `/exec/${missing}/start`, {})
  t.match(answer.text, /executable file not found in \$PATH/)
  t.match((await call(socket, 'GET', `/exec/${missing}/json`)).json(), { Running: false, ExitCode: 127 })
  const detached = await exec({ Cmd: ['sleep', '1000'] })
  t.match(await call(socket, 'POST', `/exec/${detached}/start`, { Detach: true }), { status: 200, text: '' })
  t.match((await call(socket, 'GET', `/exec/${detached}/json`)).json(), { Running: true, ExitCode: null })
  t.match((await call(socket, 'GET', `/containers/${id}/json`)).json(), { ExecIDs: [detached] })
  t.match(await call(socket, 'POST', '/exec/nothing/start', {}), { status: 404 })
})

t.test('what changes a running container', async (t) => {
  const { socket, create, start } = await api(t)
  const id = await create(['sleep', '1000'], { HostConfig: { RestartPolicy: { Name: 'always' } } })
  await start(id)
  const state = async () =>
    (await call(socket, 'GET', `/containers/${id}/json`)).json<{ State: { Status: string } }>().State.Status
  const post = (path: string, body?: unknown) => call(socket, 'POST', `/containers/${id}/${path}`, body)
  t.match(await post('start'), { status: 304 })
  t.match(await post('pause'), { status: 204 })
  t.equal(await state(), 'paused')
  t.match(await post('attach?stream=1'), { status: 409 })
  t.match(await post('unpause'), { status: 204 })
  t.match(await post('rename?name=renamed'), { status: 204 })
  t.match(await post('update', { Memory: 64 * 2 ** 20, MemorySwap: -1, RestartPolicy: { Name: 'no' } }), {
    status: 200,
  })
  const changed = (await call(socket, 'GET', '/containers/renamed/json')).json()
  t.match(changed, { HostConfig: { Memory: 64 * 2 ** 20, RestartPolicy: { Name: 'no' } } })
  t.match((await call(socket, 'GET', `/containers/${id}/top?ps_args=-o%20pid,args`)).json(), {
    Processes: [[/\d/, 'sleep 1000']],
  })
  const stats = (await call(socket, 'GET', `/containers/${id}/stats?stream=0&one-shot=1`)).json()
  t.match(stats, { name: '/renamed', pids_stats: { current: 1 }, memory_stats: { limit: 64 * 2 ** 20 } })
  t.match(await post('restart?t=0'), { status: 204 })
  t.equal(await state(), 'running')
  t.match(await post('kill?signal=KILL'), { status: 204 })
  t.equal(await state(), 'exited')
})

t.test('a list that is asked for again and again follows what others do', async (t) => {
  const { socket, create, root, runRoot } = await api(t)
  const id = await create(['sleep', '1000'])
  const other = await Engine.open({ root, runRoot })
  t.teardown(() => other.close())
  const container = await other.container(id)
  const listed = async () => {
    const rows = (await call(socket, 'GET', '/containers/json?all=1')).json<{ Names: string[]; State: string }[]>()
    return rows.map(({ Names, State }) => `${Names[0]} ${State}`)
  }
  /** What changed a moment ago is read anew each time; only what has been the same for a while is kept. */
  const kept = async () => {
    await listed()
    await new Promise((resolve) => setTimeout(resolve, 100))
    await listed()
  }
  const changes: [state: string, act: () => Promise<unknown>][] = [
    ['running', () => container.start()],
    ['paused', () => container.pause()],
    ['running', () => container.unpause()],
    ['exited', () => container.stop({ timeout: 0 })],
    ['running', () => container.start()],
    ['exited', () => container.kill().then(() => container.wait())],
  ]
  await container.rename('first')
  t.strictSame(await listed(), ['/first created'])
  for (const [state, act] of changes) {
    await kept()
    await act()
    t.strictSame(await listed(), [`/first ${state}`])
  }
  await kept()
  await container.rename('second')
  t.strictSame(await listed(), ['/second exited'])
  await kept()
  await container.remove()
  t.strictSame(await listed(), [])
})

t.test('files', async (t) => {
  const { socket, create } = await api(t)
  const id = await create(['true'])
  const archive = await tool('sh', ['-c', 'cd "$(mktemp -d)" && echo text > file && tar cf - file | base64 -w0'])
  const put = await call(socket, 'PUT', `/containers/${id}/archive?path=/tmp`, Buffer.from(archive, 'base64'))
  t.match(put, { status: 200 }, put.text)
  const head = await call(socket, 'HEAD', `/containers/${id}/archive?path=/tmp/file`)
  const stat = JSON.parse(Buffer.from(String(head.headers['x-docker-container-path-stat']), 'base64').toString())
  t.match(stat, { name: 'file', size: 5, mode: 0o644 })
  t.match((await call(socket, 'GET', `/containers/${id}/archive?path=/tmp/file`)).text, /text\n/)
  t.match(await call(socket, 'GET', `/containers/${id}/archive?path=/nothing`), { status: 404 })
  t.match((await call(socket, 'GET', `/containers/${id}/changes`)).json(), [
    { Path: '/tmp', Kind: 0 },
    { Path: '/tmp/file', Kind: 1 },
  ])
  const image = (
    await call(socket, 'POST', `/commit?container=${id}&repo=made&tag=1&changes=CMD%20cat%20/tmp/file`)
  ).json<{ Id: string }>().Id
  t.match((await call(socket, 'GET', '/images/made:1/json')).json(), { Id: image, RepoTags: ['made:1'] })
  t.match((await call(socket, 'GET', '/images/made:1/history')).json(), [{ Id: image }, {}])
  t.match(await call(socket, 'POST', '/images/made:1/tag?repo=again'), { status: 201 })
  t.match((await call(socket, 'DELETE', '/images/again')).json(), [{ Untagged: 'again:latest' }])
  t.match(await call(socket, 'DELETE', '/images/nothing'), { status: 404 })
})

t.test('bad input', async (t) => {
  const { socket, image, create } = await api(t)
  const post = (text: string) =>
    new Promise<string>((resolve) => {
      const wire = new Wire(
        socket,
        `POST /containers/create HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      )
      void wire.ended.then(() => resolve(wire.received.toString('latin1')))
    })
  for (const [what, text] of Object.entries({
    malformed: '{bad',
    'a wrong type': '{"Tty":"x"}',
    'a wrong type inside': '{"HostConfig":{"Memory":"x"}}',
    'a list': '[]',
    'an empty body': '',
    'no image': '{}',
    deep: `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
  })) {
    t.match(await post(text), /^HTTP\/1\.1 400 /, what)
  }
  t.match(await post('{"Image":"nothing:here"}'), /^HTTP\/1\.1 404 [\s\S]*No such image: nothing:here/)
  t.match(
    await post(JSON.stringify({ Image: image, Cmd: ['true'], Nothing: { a: 1 } })),
    /^HTTP\/1\.1 201 /,
    'unknown fields',
  )
  const endless = new Wire(socket, 'POST /containers/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n')
  const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
  while (!endless.received.includes('413') && !endless.socket.destroyed) {
    if (!endless.socket.write(chunk)) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  t.match(endless.received.toString(), /^HTTP\/1\.1 413 /, 'a body without end')
  const id = await create(['true'], {})
  t.match(await call(socket, 'POST', `/containers/${id}/wait?condition=sometimes`), { status: 400 })
})

t.test('500 connections at once, and clients that vanish in every state', async (t) => {
  const { socket, create, start, close, checkLeaks } = await api(t)
  const answers = await Promise.all(Array.from({ length: 500 }, () => call(socket, 'GET', '/_ping')))
  t.ok(answers.every(({ status }) => status === 200))
  const id = await create(['sh', '-c', 'while :; do echo line; done'])
  await start(id)
  const lines = [
    'GET /contai',
    'POST /containers/create HTTP/1.1\r\nContent-Length: 100\r\n\r\n{',
    `GET /containers/${id}/logs?follow=1&stdout=1 HTTP/1.1\r\n\r\n`,
    `GET /containers/${id}/stats HTTP/1.1\r\n\r\n`,
    `POST /containers/${id}/wait HTTP/1.1\r\n\r\n`,
    `POST /containers/${id}/wait?condition=removed HTTP/1.1\r\n\r\n`,
    `POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n`,
    'GET /events HTTP/1.1\r\n\r\n',
    `PUT /containers/${id}/archive?path=/tmp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
  ]
  const sockets: Socket[] = []
  for (const line of [...lines, ...lines]) {
    const client = connect(socket)
    client.on('error', () => {})
    client.pause()
    client.write(line)
    sockets.push(client)
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  for (const client of sockets) client.destroy()
  t.match(await call(socket, 'GET', `/containers/${id}/json`), { status: 200 }, 'it goes on')
  t.match(await call(socket, 'DELETE', `/containers/${id}?force=1`), { status: 204 })
  await close()
  await checkLeaks()
})

t.test('a socket with limits', async (t) => {
  const on = await api(t, { operations: ['read', 'ContainerCreate', 'ContainerStart'], labels: { mine: 'yes' } })
  const other = await on.engine.create(on.image, ['true'], { network: 'none' })
  const id = await on.create(['true'], { Labels: { more: '1' } })
  const inspect = (await call(on.socket, 'GET', `/containers/${id}/json`)).json()
  t.match(inspect, { Config: { Labels: { mine: 'yes', more: '1' } } })
  t.match(await call(on.socket, 'GET', `/containers/${other.id}/json`), { status: 404 })
  const listed = (await call(on.socket, 'GET', '/containers/json?all=1')).json<{ Id: string }[]>()
  t.strictSame(
    listed.map(({ Id }) => Id),
    [id],
  )
  t.match(await call(on.socket, 'DELETE', `/containers/${id}`), {
    status: 403,
    text: '{"message":"this socket does not allow ContainerDelete"}\n',
  })
  await on.engine.volumes.create({ name: 'others' })
  await on.engine.networks.create('others')
  const all = await api(t, { labels: { mine: 'yes' }, hideLabels: true }, on)
  const made = (await call(all.socket, 'POST', '/volumes/create', { Name: 'own', Labels: { a: 'b' } })).json()
  t.strictSame(made.Labels, { a: 'b' }, 'what it asked for')
  t.strictSame((await on.engine.volumes.list({ label: ['mine=yes'] })).length, 1)
  const network = (await call(all.socket, 'POST', '/networks/create', { Name: 'own' })).json<{ Id: string }>().Id
  const implied = await all.create(['true'], { HostConfig: { Binds: ['implied:/data'] } })
  t.strictSame((await call(all.socket, 'GET', `/containers/${implied}/json`)).json().Config.Labels, {})
  const names = (list: unknown) => (list as { Name: string }[]).map(({ Name }) => Name).sort()
  t.strictSame(names((await call(all.socket, 'GET', '/networks')).json()), ['bridge', 'host', 'none', 'own'])
  t.strictSame(names((await call(all.socket, 'GET', '/volumes')).json().Volumes), ['implied', 'own'])
  for (const path of ['/networks/others', '/volumes/others']) {
    t.match(await call(all.socket, 'GET', path), { status: 404 }, path)
    t.match(await call(all.socket, 'DELETE', path), { status: 404 }, path)
  }
  const prunedNetworks = await call(all.socket, 'POST', '/networks/prune')
  t.strictSame(prunedNetworks.json().NetworksDeleted, ['own'], network)
  const filters = encodeURIComponent('{"all":["1"]}')
  t.strictSame((await call(all.socket, 'POST', `/volumes/prune?filters=${filters}`)).json().VolumesDeleted, ['own'])
  const refused = serveApi(on.engine, { listen: [{ socket: `${on.socket}2` }], allow: { operations: ['Everything'] } })
  await t.rejects(refused, { message: 'unknown operation: Everything' })
  await t.rejects(serveApi(on.engine, { listen: [{ socket: on.socket }] }), { code: 'ERR_JUBAKO_CONFLICT' })
})

t.test('the engine is killed and started again', async (t) => {
  const on = await testEngine(t)
  const socket = join(on.runRoot, '..', 'killed.sock')
  const first = await startServe(on, ['-H', `unix://${socket}`])
  t.teardown(() => void first.child.kill('SIGKILL'))
  const create = async (command: string[]) => {
    const body = { Image: on.image, Cmd: command, HostConfig: { NetworkMode: 'none' } }
    const { Id } = (await call(socket, 'POST', '/containers/create', body)).json<{ Id: string }>()
    await call(socket, 'POST', `/containers/${Id}/start`)
    return Id
  }
  const long = await create(['sh', '-c', 'echo before; sleep 1000'])
  const ends = await create(['sh', '-c', 'sleep 1; echo while away; exit 9'])
  first.child.kill('SIGKILL')
  await first.ended
  await (await on.engine.container(ends)).wait()
  const second = await startServe(on, ['-H', `unix://${socket}`])
  t.teardown(() => void second.child.kill('SIGKILL'))
  t.match((await call(socket, 'GET', `/containers/${long}/json`)).json(), { State: { Status: 'running' } })
  t.match((await call(socket, 'GET', `/containers/${ends}/json`)).json(), { State: { Status: 'exited', ExitCode: 9 } })
  const logs = await call(socket, 'GET', `/containers/${ends}/logs?stdout=1`)
  t.equal(output(Buffer.from(logs.text, 'latin1'), 1), 'while away\n')
  t.match(await call(socket, 'POST', `/containers/${long}/kill`), { status: 204 })
  const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${second.child.pid}/status`, 'utf8'))
  t.comment(`resident set ${resident?.[1]} kB`)
  second.child.kill('SIGTERM')
  t.equal(await second.ended, 0, 'asked to end, it ends well')
  t.throws(() => statSync(socket), { code: 'ENOENT' }, 'and takes its socket along')
})

t.test('an idle engine sleeps', async (t) => {
  const on = await testEngine(t)
  const socket = join(on.runRoot, '..', 'idle.sock')
  const { child, ended } = await startServe(on, ['-H', `unix://${socket}`])
  t.teardown(() => void child.kill('SIGKILL'))
  await call(socket, 'GET', '/containers/json')
  await new Promise((resolve) => setTimeout(resolve, 3000))
  const switches = () => {
    const text = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1])
  }
  const before = switches()
  await new Promise((resolve) => setTimeout(resolve, 3000))
  t.ok(switches() - before <= 2, `woke ${switches() - before} times in 3 s`)
  child.kill('SIGTERM')
  await ended
})

t.test('one command with an engine of its own', async (t) => {
  const on = await testEngine(t)
  const script = `curl -sf --unix-socket "\${DOCKER_HOST#unix://}" -H 'Content-Type: application/json' -d '{"Image":"${on.image}","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"none"}}' http://x/containers/create && exit 4`
  const seen = await on.engine.create(on.image, ['true'], { network: 'none' })
  const { child, ended } = await startServe(on, ['--', 'sh', '-c', `echo listening on "$DOCKER_HOST"; ${script}`])
  t.equal(await ended, 4, 'its exit code')
  t.ok(child.pid)
  const left = (await on.engine.containers({ all: true })).map(({ id }) => id)
  t.strictSame(left, [seen.id], 'what it made is removed, and nothing else')
})

t.test('tcp needs certificates of clients', async (t) => {
  const on = await testEngine(t)
  const serving = startServe(on, ['-H', 'tcp://127.0.0.1:0'])
  await t.rejects(serving, { message: /is refused: whoever reaches the API is root on this machine/ })
  const directory = join(on.runRoot, '..', 'tls')
  mkdirSync(directory)
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  await tool(
    'sh',
    [
      '-ec',
      `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
       for who in server client; do
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$who -keyout $who.key -out $who.csr
         printf 'subjectAltName=IP:127.0.0.1' > $who.ext
         openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $who.ext -out $who.pem
       done`,
    ],
    { cwd: directory },
  )
  const file = (name: string) => join(directory, name)
  const engine = await Engine.open({ root: on.root, runRoot: on.runRoot })
  t.teardown(() => engine.close())
  const tls = { ca: file('ca.pem'), cert: file('server.pem'), key: file('server.key') }
  const server = await engine.serve({ host: '127.0.0.1', port: 0, tls })
  const url = `https://${server.addresses[0]!.slice(6)}/_ping`
  const curl = ['-s', '--noproxy', '*', '--cacert', file('ca.pem'), url]
  await t.rejects(tool('curl', curl), 'nobody without a certificate')
  t.equal(await tool('curl', ['--cert', file('client.pem'), '--key', file('client.key'), ...curl]), 'OK')
})
