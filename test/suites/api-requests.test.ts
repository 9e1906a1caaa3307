import t from 'tap'
import { isAllowed } from '../../src/api/allow.js'
import { DetachScanner, parseDetachKeys } from '../../src/api/detach-keys.js'
import { Fields } from '../../src/api/fields.js'
import { progressMessage } from '../../src/api/progress.js'
import { Query } from '../../src/api/query.js'
import { headerCredentials } from '../../src/api/registry-auth.js'
import { Router, splitVersion } from '../../src/api/router.js'
import { routes } from '../../src/api/routes.js'
import { createRequest } from '../../src/api/shapes/create-options.js'

const query = (text: string) => new Query(new URLSearchParams(text))
const BAD = { status: 400, message: /./ }
const body = (value: unknown) => new Fields(value, 'Body')

t.test('versions', (t) => {
  t.strictSame(splitVersion('/v1.24/info'), { version: 24, rest: '/info' })
  t.strictSame(splitVersion('/v1.51/info'), { version: 51, rest: '/info' })
  t.strictSame(splitVersion('/info'), { version: 51, rest: '/info' })
  t.throws(() => splitVersion('/v1.23/info'), { status: 400, message: /client version 1\.23 is too old/ })
  t.throws(() => splitVersion('/v1.52/info'), { status: 400, message: /client version 1\.52 is too new/ })
  t.throws(() => splitVersion('/v2.0/info'), { status: 400, message: /too new/ })
  t.end()
})

t.test('routes', (t) => {
  const router = new Router(routes)
  const found = (method: string, path: string) => {
    const match = router.match(method, path)
    return match === undefined ? undefined : [match.route[2], match.params]
  }
  t.strictSame(found('GET', '/images/a/b:c/json'), ['ImageInspect', { name: 'a/b:c' }])
  t.strictSame(found('GET', '/images/json'), ['ImageList', {}])
  t.strictSame(found('GET', '/images/get'), ['ImageGetAll', {}])
  t.strictSame(found('DELETE', '/images/json'), ['ImageDelete', { name: 'json' }])
  t.strictSame(found('GET', '/containers/x%2Fy/json'), ['ContainerInspect', { id: 'x/y' }])
  t.equal(found('POST', '/containers/json'), undefined)
  t.equal(found('GET', '/'), undefined)
  t.throws(() => found('GET', '/containers/%zz/json'), BAD)
  const names = routes.map(([method, path]) => `${method} ${path}`)
  t.equal(new Set(names).size, names.length, 'no route twice')
  t.end()
})

t.test('every handler of the table exists', async (t) => {
  for (const [method, path, , load] of routes) t.type(await load(), 'function', `${method} ${path}`)
})

t.test('query values', (t) => {
  for (const no of ['', '0', 'no', 'False', 'none']) t.equal(query(`a=${no}`).bool('a', true), false, no)
  for (const yes of ['1', 'true', 'x']) t.equal(query(`a=${yes}`).bool('a'), true, yes)
  t.equal(query('').bool('a', true), true)
  t.throws(() => query('a=x').int('a'), BAD)
  t.equal(query('a=12.5').time('a'), 12_500)
  t.equal(query('a=0').time('a'), undefined)
  const filters = query(`filters=${encodeURIComponent('{"label":["a","b=c"],"status":{"running":true}}')}`)
  t.strictSame(filters.filters(['label', 'status']).pairs(), [
    ['label', 'a'],
    ['label', 'b=c'],
    ['status', 'running'],
  ])
  t.throws(() => filters.filters(['label']), { status: 400, message: "invalid filter 'status'" })
  for (const bad of ['x', '[]', '1', '{"label":1}', '{"label":[1]}', '{"label":{"a":1}}', 'null']) {
    t.throws(() => query(`filters=${encodeURIComponent(bad)}`).filters(['label']), BAD, bad)
  }
  t.end()
})

t.test('fields of a body', (t) => {
  const fields = body({ TTY: true, Cmd: 'a', Env: null, Unknown: {}, __proto__: { Memory: 1 } })
  t.equal(fields.bool('Tty'), true)
  t.strictSame(fields.words('Cmd'), ['a'])
  t.equal(fields.strings('Env'), undefined)
  t.throws(() => body({ Tty: 'x' }).bool('Tty'), {
    status: 400,
    message: /cannot unmarshal string into Go struct field Body\.Tty of type bool/,
  })
  for (const value of [[], 'x', 1, true]) t.throws(() => body(value), BAD)
  t.throws(() => body({ Memory: 1.5 }).int('Memory'), BAD)
  t.throws(() => body({ Env: ['a', 1] }).strings('Env'), BAD)
  t.end()
})

t.test('a container as a client describes it', (t) => {
  const { image, command, options } = createRequest(
    body({
      Image: 'debian:12',
      Cmd: ['a', 'b'],
      Entrypoint: [''],
      Env: ['A=b'],
      Tty: true,
      OpenStdin: true,
      StopTimeout: 0,
      Healthcheck: { Test: ['CMD', 'true'], Interval: 2e9, Retries: 2 },
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        Memory: 1e9,
        NanoCpus: 15e8,
        Binds: ['/a:/b:ro,rslave'],
        Tmpfs: { '/t': 'size=1m' },
        PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }], '53/udp': [] },
        RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
        Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
        Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/x', CgroupPermissions: 'r' }],
        MaskedPaths: [],
        ReadonlyPaths: [],
        MemorySwappiness: -1,
        NetworkMode: 'net',
        LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
      },
      NetworkingConfig: { EndpointsConfig: { net: { Aliases: ['x'] }, other: null } },
    }),
  )
  t.equal(image, 'debian:12')
  t.strictSame(command, ['a', 'b'])
  t.match(options, {
    entrypoint: [],
    env: ['A=b'],
    tty: true,
    stdin: true,
    stopTimeout: 0,
    healthcheck: { test: ['CMD', 'true'], interval: 2000, retries: 2 },
    memory: 1e9,
    cpus: 1.5,
    ports: [
      { containerPort: 80, protocol: 'tcp', hostPort: 8080, hostAddress: '127.0.0.1' },
      { containerPort: 53, protocol: 'udp' },
    ],
    restart: { policy: 'on-failure', maxRetries: 3 },
    ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
    devices: [{ hostPath: '/dev/null', containerPath: '/dev/x', permissions: 'r' }],
    securityOpt: ['systempaths=unconfined'],
    networks: [{ name: 'net', aliases: ['x'] }, { name: 'other' }],
    logDriver: 'json-file',
    logOptions: { 'max-size': '1m' },
  })
  t.match(options.mounts, [
    { type: 'bind', source: '/a', target: '/b', readonly: true, propagation: 'rslave', createSource: true },
    { type: 'tmpfs', target: '/t', options: ['size=1m'] },
  ])
  t.notOk('memorySwappiness' in options)
  t.end()
})

t.test('what would make another container than was asked for is refused', (t) => {
  for (const [what, host] of Object.entries({
    gpus: { DeviceRequests: [{ Count: -1 }] },
    runtime: { Runtime: 'kata' },
    storage: { StorageOpt: { size: '1g' } },
    realtime: { CpuRealtimeRuntime: 1 },
    restart: { RestartPolicy: { Name: 'sometimes' } },
    port: { PortBindings: { 'x/tcp': [] } },
    bind: { Binds: ['/a'] },
    mount: { Mounts: [{ Type: 'npipe', Target: '/a' }] },
  })) {
    t.throws(() => createRequest(body({ Image: 'a', HostConfig: host })), { status: Number, message: /./ }, what)
  }
  t.end()
})

t.test('detach keys', (t) => {
  t.strictSame(parseDetachKeys(''), [16, 17])
  t.strictSame(parseDetachKeys('ctrl-a,b,ctrl-\\'), [1, 98, 28])
  t.throws(() => parseDetachKeys('ctrl-ä'), BAD)
  const scanner = new DetachScanner([16, 17])
  t.strictSame(scanner.push(Buffer.from('a\x10')), { pass: Buffer.from('a'), detached: false })
  t.strictSame(scanner.push(Buffer.from('b\x10')), { pass: Buffer.from('\x10b'), detached: false })
  t.strictSame(scanner.push(Buffer.from('\x10\x11c')), { pass: Buffer.from('\x10'), detached: true })
  t.end()
})

t.test('credentials of a header', (t) => {
  const header = (value: unknown) => headerCredentials(Buffer.from(JSON.stringify(value)).toString('base64url'))
  t.strictSame(header({ username: 'a', password: 'b' }), { auth: { username: 'a', password: 'b' } })
  t.strictSame(header({ auth: Buffer.from('a:b:c').toString('base64') }), { auth: { username: 'a', password: 'b:c' } })
  t.strictSame(header({ identitytoken: 'x' }), { auth: { identityToken: 'x' } })
  t.strictSame(header({}), {})
  t.throws(() => headerCredentials('!!'), BAD)
  t.end()
})

t.test('progress', (t) => {
  t.match(progressMessage({ id: 'abc', status: 'Downloading', current: 500, total: 1000 }), {
    id: 'abc',
    progressDetail: { current: 500, total: 1000 },
    progress: /^\[=+> +\] {2}500B\/1kB$/,
  })
  t.strictSame(progressMessage({ id: '', status: 'Digest: x' }), { status: 'Digest: x' })
  t.end()
})

t.test('limits of a socket', (t) => {
  t.ok(isAllowed(undefined, 'ContainerCreate'))
  t.ok(isAllowed({ operations: ['read'] }, 'ContainerList'))
  t.ok(isAllowed({ operations: ['read'] }, 'SystemPing'))
  t.notOk(isAllowed({ operations: ['read'] }, 'ContainerCreate'))
  t.notOk(isAllowed({ operations: ['read'] }, 'ContainerArchive'), 'reading files is more than looking')
  t.ok(isAllowed({ operations: ['ContainerStart'] }, 'ContainerStart'))
  t.end()
})
