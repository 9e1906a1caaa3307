/**
 * Program: asks the engine of DOCKER_HOST a series of requests and prints statuses and shapes of the answers. What real
 * docker said is in fixtures/docker-api.json; `DOCKER_HOST=unix:///... node dist/test/helpers/api-series.js IMAGE` says it again.
 */

import { tar as archiveOf, file } from '../fixtures/tar.js'
import { call, Wire } from './api.js'

/** `string`, `number`, `boolean`, `null`, a list's first element, an object's members, or `map` of names that vary. */
export type Shape = string | [] | [Shape] | { [key: string]: Shape }
export interface Heard {
  name: string
  status: number
  type: string | null
  shape: Shape | null
}

const VARYING =
  /^(Labels|Annotations|Ports|PortBindings|Networks|Options|DriverOpts|Volumes|ExposedPorts|Containers|Runtimes|IndexConfigs|Attributes|LogConfig|Config\.Config|GraphDriver|networks|Details|stats|Status|Sysctls|Tmpfs|Peers|EndpointsConfig)$/

export function shapeOf(value: unknown): Shape {
  if (value === null) return 'null'
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])]
  if (typeof value !== 'object') return typeof value
  return Object.fromEntries(
    Object.entries(value as object)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, it]) => [
        key,
        VARYING.test(key) && it !== null && typeof it === 'object' && !Array.isArray(it) ? 'map' : shapeOf(it),
      ]),
  )
}

/** Some requests are answered with a stream that does not end. */
async function answered<T>(name: string, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: no end of the answer`)), 30_000)
  })
  return Promise.race([answer, late]).finally(() => clearTimeout(timer))
}

/** Every request, in an order that leaves nothing behind. */
export async function hear(socket: string, image: string, version = 'v1.41'): Promise<Heard[]> {
  const heard: Heard[] = []
  const ask = async (name: string, method: string, path: string, body?: unknown) => {
    const answer = await answered(name, call(socket, method, `/${version}${path}`, body))
    const type = answer.headers['content-type']
    let shape: Shape | null = null
    let value: Record<string, never> = {}
    try {
      value = JSON.parse(answer.text.split('\n', 1)[0]!)
      shape = shapeOf(value)
    } catch {
      // No JSON.
    }
    heard.push({ name, status: answer.status, type: typeof type === 'string' ? type : null, shape })
    return value as Record<string, string>
  }
  const upgrade = async (name: string, path: string, body = '') => {
    const head = `POST /${version}${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n`
    const wire = new Wire(socket, `${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    await wire.sees('\r\n\r\n')
    const text = wire.received.toString('latin1')
    const type = /content-type: ([^\r]*)/i.exec(text)?.[1] ?? null
    heard.push({ name, status: Number(text.slice(9, 12)), type, shape: null })
    return wire
  }
  const mine = { compare: 'yes' }
  const onlyMine = `filters=${encodeURIComponent(JSON.stringify({ label: ['compare=yes'] }))}`
  const create = (name: string, more: object = {}, word = 'container') =>
    ask(`create ${word}`, 'POST', `/containers/create?name=${name}`, {
      Image: image,
      Cmd: ['sleep', '1000'],
      Labels: mine,
      ...more,
    })

  for (const path of ['/_ping', '/version', '/info']) await ask(path, 'GET', path)
  await ask('HEAD ping', 'HEAD', '/_ping')
  await ask('unknown path', 'GET', '/nothing')
  await ask('unknown method', 'PATCH', '/containers/json')

  const { Id } = await create('compare-1', {
    Env: ['A=b'],
    ExposedPorts: { '80/tcp': {} },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9 },
    HostConfig: {
      Memory: 64 * 2 ** 20,
      Binds: ['compare-volume:/data'],
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
      Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
      ExtraHosts: ['a:127.0.0.1'],
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
    },
  })
  await create('compare-1', {}, 'a name that is taken')
  await create('-bad-', {}, 'a bad name')
  await create('compare-x', { Image: 'nothing:here' }, 'no image')
  await create('compare-x', { Image: '' }, 'an empty image')
  await create('compare-x', { HostConfig: { Memory: 1024 } }, 'too little memory')
  await create('compare-x', { HostConfig: { NetworkMode: 'nothing' } }, 'no such network').then(async (it) => {
    if (it.Id) await call(socket, 'DELETE', `/containers/${it.Id}`)
  })
  await create('compare-x', { HostConfig: { Binds: ['/a:relative'] } }, 'a relative target')
  await create('compare-x', { HostConfig: { RestartPolicy: { Name: 'sometimes' } } }, 'a bad policy')
  await create(
    'compare-x',
    { HostConfig: { AutoRemove: true, RestartPolicy: { Name: 'always' } } },
    'remove and restart',
  )
  await create('compare-x', { HostConfig: { CapAdd: ['NOTHING'] } }, 'a bad capability')
  await create('compare-x', { Labels: 'x' }, 'a wrong type')
  await ask('malformed JSON', 'POST', '/containers/create', '{bad')
  await ask('inspect created', 'GET', `/containers/${Id}/json?size=1`)
  for (const path of ['stop', 'kill', 'pause', 'unpause', 'resize?h=10&w=10', 'restart?t=x']) {
    await ask(`${path} created`, 'POST', `/containers/${Id}/${path}`)
  }
  await ask('top created', 'GET', `/containers/${Id}/top`)
  await ask('exec created', 'POST', `/containers/${Id}/exec`, { Cmd: ['true'] })
  await ask('logs created', 'GET', `/containers/${Id}/logs?stdout=1`)
  await ask('stats created', 'GET', `/containers/${Id}/stats?stream=0&one-shot=1`)
  for (const path of ['stop', 'start', 'kill', 'pause', 'unpause', 'restart', 'wait', 'attach', 'rename?name=x']) {
    await ask(`${path} nothing`, 'POST', `/containers/nothing/${path}`)
  }
  for (const path of ['json', 'top', 'logs?stdout=1', 'changes', 'export', 'stats?stream=0', 'archive?path=/']) {
    await ask(`${path} nothing`, 'GET', `/containers/nothing/${path}`)
  }
  await ask('update nothing', 'POST', '/containers/nothing/update', {})
  await ask('exec nothing', 'POST', '/containers/nothing/exec', { Cmd: ['true'] })
  await ask('remove nothing', 'DELETE', '/containers/nothing')

  await ask('start', 'POST', `/containers/${Id}/start`)
  await ask('start again', 'POST', `/containers/${Id}/start`)
  await ask('inspect running', 'GET', `/containers/${Id}/json`)
  await ask('list', 'GET', `/containers/json?${onlyMine}&size=1`)
  await ask('list, bad filter', 'GET', '/containers/json?filters=%7B%22nothing%22%3A%5B%22x%22%5D%7D')
  await ask('list, malformed filters', 'GET', '/containers/json?filters=%7Bx')
  await ask('list, bad status', 'GET', '/containers/json?filters=%7B%22status%22%3A%5B%22x%22%5D%7D')
  await ask('list, bad limit', 'GET', '/containers/json?limit=x')
  await ask('top', 'GET', `/containers/${Id}/top`)
  await ask('top, bad', 'GET', `/containers/${Id}/top?ps_args=--nothing`)
  await ask('stats', 'GET', `/containers/${Id}/stats?stream=0&one-shot=1`)
  await ask('logs', 'GET', `/containers/${Id}/logs?stdout=1`)
  await ask('logs of no stream', 'GET', `/containers/${Id}/logs`)
  await ask('logs, bad since', 'GET', `/containers/${Id}/logs?stdout=1&since=x`)
  await ask('resize', 'POST', `/containers/${Id}/resize?h=10&w=10`)
  await ask('resize, bad', 'POST', `/containers/${Id}/resize?h=x&w=10`)
  await ask('kill, bad signal', 'POST', `/containers/${Id}/kill?signal=NOTHING`)
  await ask('kill, a signal', 'POST', `/containers/${Id}/kill?signal=CONT`)
  await ask('update', 'POST', `/containers/${Id}/update`, { Memory: 96 * 2 ** 20, MemorySwap: 192 * 2 ** 20 })
  await ask('update, bad', 'POST', `/containers/${Id}/update`, { Memory: 100 })
  await ask('rename', 'POST', `/containers/${Id}/rename?name=compare-2`)
  await ask('rename to nothing', 'POST', `/containers/${Id}/rename?name=`)
  await ask('rename to a bad name', 'POST', `/containers/${Id}/rename?name=-x-`)
  await ask('remove running', 'DELETE', `/containers/${Id}`)
  await ask('pause', 'POST', `/containers/${Id}/pause`)
  await ask('pause again', 'POST', `/containers/${Id}/pause`)
  await ask('start paused', 'POST', `/containers/${Id}/start`)
  await ask('exec paused', 'POST', `/containers/${Id}/exec`, { Cmd: ['true'] })
  await ask('attach paused', 'POST', `/containers/${Id}/attach?stream=1&stdout=1`)
  await ask('inspect paused', 'GET', `/containers/${Id}/json`)
  await ask('unpause', 'POST', `/containers/${Id}/unpause`)
  await ask('unpause again', 'POST', `/containers/${Id}/unpause`)

  const exec = await ask('exec', 'POST', `/containers/${Id}/exec`, { Cmd: ['true'], AttachStdout: true })
  await ask('exec without a command', 'POST', `/containers/${Id}/exec`, {})
  await ask('exec inspect', 'GET', `/exec/${exec.Id}/json`)
  const running = await upgrade('exec start', `/exec/${exec.Id}/start`, '{}')
  await running.ended
  await ask('exec start again', 'POST', `/exec/${exec.Id}/start`, {})
  await ask('exec inspect ended', 'GET', `/exec/${exec.Id}/json`)
  const detached = await ask('exec', 'POST', `/containers/${Id}/exec`, { Cmd: ['sleep', '1000'], Tty: true })
  await ask('exec start detached', 'POST', `/exec/${detached.Id}/start`, { Detach: true, Tty: true })
  await ask('exec inspect running', 'GET', `/exec/${detached.Id}/json`)
  await ask('exec resize', 'POST', `/exec/${detached.Id}/resize?h=10&w=10`)
  await ask('exec resize, bad', 'POST', `/exec/${detached.Id}/resize?h=x`)
  for (const path of ['start', 'resize?h=1&w=1']) await ask(`exec ${path} nothing`, 'POST', `/exec/nothing/${path}`, {})
  await ask('exec inspect nothing', 'GET', '/exec/nothing/json')

  const attached = await upgrade('attach', `/containers/${Id}/attach?stream=1&stdout=1`)
  attached.socket.destroy()
  await ask('attach, bad keys', 'POST', `/containers/${Id}/attach?stream=1&stdout=1&detachKeys=nothing`)
  await ask('attach by websocket without one', 'GET', `/containers/${Id}/attach/ws?stream=1`)
  const tar = archiveOf(file('file', 'text'))
  await ask('put archive', 'PUT', `/containers/${Id}/archive?path=/tmp`, tar)
  await ask('put archive, no place', 'PUT', `/containers/${Id}/archive?path=/nothing`, tar)
  await ask('put archive, no path', 'PUT', `/containers/${Id}/archive`, tar)
  await ask('put archive, no archive', 'PUT', `/containers/${Id}/archive?path=/tmp`, Buffer.from('text'))
  await ask('head archive', 'HEAD', `/containers/${Id}/archive?path=/tmp/file`)
  await ask('head archive, nothing', 'HEAD', `/containers/${Id}/archive?path=/nothing`)
  await ask('get archive', 'GET', `/containers/${Id}/archive?path=/tmp/file`)
  await ask('get archive, nothing', 'GET', `/containers/${Id}/archive?path=/nothing`)
  await ask('get archive, no path', 'GET', `/containers/${Id}/archive`)
  await ask('changes', 'GET', `/containers/${Id}/changes`)
  await ask('export', 'GET', `/containers/${Id}/export`)

  const made = await ask('commit', 'POST', `/commit?container=${Id}&repo=compare&tag=1&comment=c`, { Labels: mine })
  await ask('commit nothing', 'POST', '/commit?container=nothing')
  await ask('commit, bad change', 'POST', `/commit?container=${Id}&changes=NOTHING%20x`)
  await ask('images', 'GET', '/images/json?filters=%7B%22reference%22%3A%5B%22compare%3A1%22%5D%7D')
  await ask('images, bad filter', 'GET', '/images/json?filters=%7B%22nothing%22%3A%5B%22x%22%5D%7D')
  await ask('image', 'GET', '/images/compare:1/json')
  await ask('image nothing', 'GET', '/images/nothing/json')
  await ask('history', 'GET', '/images/compare:1/history')
  await ask('history nothing', 'GET', '/images/nothing/history')
  await ask('tag', 'POST', '/images/compare:1/tag?repo=compare&tag=2')
  await ask('tag nothing', 'POST', '/images/nothing/tag?repo=a')
  await ask('tag, bad', 'POST', '/images/compare:1/tag?repo=BAD%20x')
  await ask('tag, no name', 'POST', '/images/compare:1/tag')
  await ask('get image', 'GET', '/images/compare:1/get')
  await ask('get image nothing', 'GET', '/images/nothing/get')
  await ask('get images', 'GET', '/images/get?names=compare:1')
  await ask('load nothing', 'POST', '/images/load', Buffer.from('no archive'))
  await ask('push nowhere', 'POST', '/images/nothing/push?tag=1')
  await ask('untag', 'DELETE', '/images/compare:2')
  await ask('remove image nothing', 'DELETE', '/images/nothing')
  await ask('pull without a name', 'POST', '/images/create')
  await ask('pull, bad name', 'POST', '/images/create?fromImage=BAD%20x&tag=1')
  const context = archiveOf(file('Dockerfile', `FROM ${image}\nLABEL compare=yes\nRUN echo built > /built\n`))
  await ask('build', 'POST', '/build?t=compare:3', context)
  await ask('build, no Dockerfile', 'POST', '/build?dockerfile=nothing', context)
  await ask('build, bad Dockerfile', 'POST', '/build', archiveOf(file('Dockerfile', 'NOTHING\n')))
  await ask('build, bad tag', 'POST', '/build?t=BAD%20x', context)
  await ask('build, bad args', 'POST', '/build?buildargs=%7Bx', context)
  await ask('remove image', 'DELETE', '/images/compare:3')

  const network = await ask('network create', 'POST', '/networks/create', {
    Name: 'compare-net',
    Labels: mine,
    IPAM: { Config: [{ Subnet: '172.31.77.0/24' }] },
  })
  await ask('network create again', 'POST', '/networks/create', { Name: 'compare-net', CheckDuplicate: true })
  await ask('network create, bad driver', 'POST', '/networks/create', { Name: 'compare-x', Driver: 'nothing' })
  await ask('network create, bad subnet', 'POST', '/networks/create', {
    Name: 'compare-x',
    IPAM: { Config: [{ Subnet: 'x' }] },
  })
  await ask('network create, no name', 'POST', '/networks/create', {})
  await ask('network create, predefined', 'POST', '/networks/create', { Name: 'bridge' })
  await ask('networks', 'GET', '/networks?filters=%7B%22name%22%3A%5B%22compare-net%22%5D%7D')
  await ask('networks, bad filter', 'GET', '/networks?filters=%7B%22nothing%22%3A%5B%22x%22%5D%7D')
  await ask('network connect', 'POST', `/networks/${network.Id}/connect`, { Container: Id })
  await ask('network connect again', 'POST', `/networks/${network.Id}/connect`, { Container: Id })
  await ask('network connect nothing', 'POST', `/networks/${network.Id}/connect`, { Container: 'nothing' })
  await ask('network', 'GET', `/networks/${network.Id}`)
  await ask('network in use', 'DELETE', `/networks/${network.Id}`)
  await ask('container of two networks', 'GET', `/containers/${Id}/json`)
  await ask('network disconnect', 'POST', `/networks/${network.Id}/disconnect`, { Container: Id })
  await ask('network disconnect again', 'POST', `/networks/${network.Id}/disconnect`, { Container: Id })
  await ask('network nothing', 'GET', '/networks/nothing')
  await ask('network connect to nothing', 'POST', '/networks/nothing/connect', { Container: Id })
  await ask('network remove predefined', 'DELETE', '/networks/bridge')
  await ask('network remove', 'DELETE', `/networks/${network.Id}`)
  await ask('network remove nothing', 'DELETE', '/networks/nothing')
  await ask('network prune', 'POST', `/networks/prune?${onlyMine}`)

  await ask('volume', 'GET', '/volumes/compare-volume')
  await ask('volume create', 'POST', '/volumes/create', { Name: 'compare-2', Labels: mine, DriverOpts: {} })
  await ask('volume create again', 'POST', '/volumes/create', { Name: 'compare-2' })
  await ask('volume create, bad name', 'POST', '/volumes/create', { Name: '-x' })
  await ask('volume create, bad driver', 'POST', '/volumes/create', { Name: 'compare-x', Driver: 'nothing' })
  await ask('volume create, bad option', 'POST', '/volumes/create', { Name: 'compare-x', DriverOpts: { nothing: 'x' } })
  await ask('volumes', 'GET', '/volumes?filters=%7B%22name%22%3A%5B%22compare-2%22%5D%7D')
  await ask('volumes, bad filter', 'GET', '/volumes?filters=%7B%22nothing%22%3A%5B%22x%22%5D%7D')
  await ask('volume in use', 'DELETE', '/volumes/compare-volume')
  await ask('volume nothing', 'GET', '/volumes/nothing')
  await ask('volume remove nothing', 'DELETE', '/volumes/nothing')
  await ask('volume remove', 'DELETE', '/volumes/compare-2')
  await ask('volume prune', 'POST', `/volumes/prune?${onlyMine}`)

  await ask('usage', 'GET', '/system/df')
  await ask('events', 'GET', `/events?since=1&until=${Math.ceil(Date.now() / 1000)}&${onlyMine}`)
  await ask('events, bad filter', 'GET', '/events?until=1&filters=%7B%22nothing%22%3A%5B%22x%22%5D%7D')
  await ask('events, bad since', 'GET', '/events?until=1&since=x')
  await ask('auth without anything', 'POST', '/auth')
  await ask('search without a term', 'GET', '/images/search')
  for (const path of [
    '/swarm',
    '/swarm/unlockkey',
    '/nodes',
    '/nodes/x',
    '/services',
    '/services/x',
    '/services/x/logs',
  ])
    await ask(path, 'GET', path)
  for (const path of ['/tasks', '/tasks/x', '/tasks/x/logs', '/secrets', '/secrets/x', '/configs', '/configs/x'])
    await ask(path, 'GET', path)
  for (const noun of ['nodes', 'services', 'secrets', 'configs']) await ask(`remove ${noun}`, 'DELETE', `/${noun}/x`)
  await ask('swarm leave', 'POST', '/swarm/leave')
  await ask('plugins', 'GET', '/plugins')
  await ask('plugin', 'GET', '/plugins/nothing/json')
  await ask('plugin remove', 'DELETE', '/plugins/nothing')
  for (const verb of ['enable', 'disable', 'push']) await ask(`plugin ${verb}`, 'POST', `/plugins/nothing/${verb}`)
  await ask('plugin set', 'POST', '/plugins/nothing/set', ['a=b'])

  await ask('stop', 'POST', `/containers/${Id}/stop?t=0`)
  await ask('stop again', 'POST', `/containers/${Id}/stop`)
  await ask('wait', 'POST', `/containers/${Id}/wait`)
  await ask('inspect exited', 'GET', `/containers/${Id}/json`)
  await ask('kill exited', 'POST', `/containers/${Id}/kill`)
  await ask('top exited', 'GET', `/containers/${Id}/top`)
  await ask('exec exited', 'POST', `/containers/${Id}/exec`, { Cmd: ['true'] })
  await ask('restart', 'POST', `/containers/${Id}/restart?t=0`)
  await ask('kill', 'POST', `/containers/${Id}/kill`)
  await ask('remove', 'DELETE', `/containers/${Id}?v=1`)
  await ask('remove a volume', 'DELETE', '/volumes/compare-volume')
  const broken = await create('compare-3', { Cmd: ['/nothing'] }, 'a command that is not there')
  await ask('start what is not there', 'POST', `/containers/${broken.Id}/start`)
  await ask('inspect what could not start', 'GET', `/containers/${broken.Id}/json`)
  await ask('prune', 'POST', `/containers/prune?${onlyMine}`)
  await ask('remove the image', 'DELETE', `/images/${made.Id}`)
  await ask('image prune', 'POST', `/images/prune?${onlyMine}`)
  return heard
}

/** How what was heard differs from what is expected: other statuses, members that are missing or of another kind. */
export function differences(expected: readonly Heard[], actual: readonly Heard[]): string[] {
  const out: string[] = []
  const compare = (where: string, want: Shape | null, got: Shape | null | undefined) => {
    if (want === null || want === 'null') return
    if (got === undefined) return out.push(`${where}: missing`)
    if (got === 'null' && (Array.isArray(want) || typeof want === 'object')) return
    if (Array.isArray(want) && Array.isArray(got)) {
      if (want.length > 0 && got.length > 0) compare(`${where}[]`, want[0]!, got[0]!)
    } else if (typeof want === 'object' && typeof got === 'object' && got !== null && !Array.isArray(got)) {
      for (const [key, it] of Object.entries(want)) compare(`${where}.${key}`, it, (got as Record<string, Shape>)[key])
    } else if (JSON.stringify(want) !== JSON.stringify(got)) {
      out.push(`${where}: ${JSON.stringify(want)} expected, ${JSON.stringify(got)} found`)
    }
  }
  for (const [at, want] of expected.entries()) {
    const got = actual[at]
    if (got?.name !== want.name) {
      out.push(`${want.name}: not asked`)
      continue
    }
    if (want.status !== got.status) out.push(`${want.name}: status ${want.status} expected, ${got.status} found`)
    else compare(want.name, want.shape, got.shape)
    const plain = (type: string | null) => type?.replace(/;.*/, '') ?? null
    if (want.status === got.status && want.status < 400 && plain(want.type) !== plain(got.type)) {
      out.push(`${want.name}: type ${want.type} expected, ${got.type} found`)
    }
  }
  return out
}

if (process.argv[1]?.endsWith('api-series.js')) {
  const heard = await hear(process.env.DOCKER_HOST!.replace('unix://', ''), process.argv[2] ?? 'busybox')
  process.stdout.write(`[\n${heard.map((it) => JSON.stringify(it)).join(',\n')}\n]\n`)
}
