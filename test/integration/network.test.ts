// lanes: host
import '../helpers/own-network.js'
import { execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Container, RunOptions } from '../../src/index.js'
import { debianImage } from '../fixtures/images.js'
import { cli } from '../helpers/cli.js'
import { collect, type TestEngine, testEngine } from '../helpers/engine.js'
import { TOOL_ENV } from '../helpers/processes.js'

// A network namespace of the test's own stands for the host: bridges, rules and forwarding of the machine stay as they are.

const tool = (program: string, ...arguments_: string[]): string =>
  execFileSync(program, arguments_, { encoding: 'utf8', env: TOOL_ENV })

/** A server in the container that answers each connection or datagram with a line. */
const tcpServer = (port: number, line: string) => [
  'perl',
  '-MIO::Socket::INET',
  '-e',
  `$s = IO::Socket::INET->new(LocalPort => ${port}, Listen => 64, ReuseAddr => 1) or die $!; while ($c = $s->accept) { print $c "${line} ", $c->peerhost, "\\n"; close $c }`,
]
const udpServer = (port: number) => [
  'perl',
  '-MIO::Socket::INET',
  '-e',
  `$s = IO::Socket::INET->new(LocalPort => ${port}, Proto => "udp") or die $!; while ($s->recv($m, 999)) { $s->send("echo $m") }`,
]
/** A shell that reads what a server says. */
const ask = (name: string, port: number) => `exec 3<>/dev/tcp/${name}/${port} && cat <&3`

/** What a TCP server says until it hangs up. */
function say(host: string, port: number): Promise<string> {
  return new Promise((settle, fail) => {
    const socket = connect({ host, port })
    let text = ''
    socket.setTimeout(20_000, () => socket.destroy(new Error(`no answer of ${host}:${port}`)))
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', fail)
    socket.on('close', () => settle(text))
  })
}

/** Until `act` gives something that matches; the last failure otherwise. */
async function eventually(act: () => Promise<string>, expected: RegExp): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      const text = await act()
      if (expected.test(text) || attempt > 150) return text
    } catch (error) {
      if (attempt > 150) throw error
    }
    await sleep(100)
  }
}

interface Setup extends TestEngine {
  debian: string
  run(command: string[], options?: RunOptions): Promise<Container>
  /** Output of a command in a new container. */
  shell(script: string, options?: RunOptions): Promise<string>
  address(container: Container, network?: string): Promise<string>
}

let shared: Promise<Setup> | undefined

/** One store for all. */
const setUp = (): Promise<Setup> => (shared ??= makeSetup())

async function makeSetup(): Promise<Setup> {
  const it = await testEngine(t)
  await it.engine.load((await debianImage()).layout)
  const debian = (await it.engine.images()).find(({ id }) => id !== it.image)!.id
  const run = (command: string[], options: RunOptions = {}) =>
    it.engine.run(debian, command, { network: 'bridge', ...options })
  return {
    ...it,
    debian,
    run,
    shell: async (script, options) => {
      await using container = await run(['bash', '-c', script], options)
      const [out, err] = await Promise.all([collect(container.stdout), collect(container.stderr), container.wait()])
      return `${out}${err}`
    },
    address: async (container, network = 'bridge') => {
      const { NetworkSettings } = (await container.inspect()) as {
        NetworkSettings: { Networks: Record<string, { IPAddress: string }> }
      }
      return NetworkSettings.Networks[network]!.IPAddress
    },
  }
}

/** What containers leave in the namespace: ports of containers, addresses, names, veth links. */
function leftovers(runRoot: string): string[] {
  const elements = tool('nft', 'list', 'ruleset')
    .split('\n')
    .filter((line) => /: 17\d\.|: 10\.|: fd/.test(line) || /elements = \{.* : /.test(line))
  const links = tool('ip', '-br', 'link')
    .split('\n')
    .filter((line) => line.startsWith('veth'))
  const zones = readdirSync(`${runRoot}/networks`).filter((name) => name.length === 64)
  const files = zones.flatMap((zone) =>
    ['addresses', 'names', 'reverse'].flatMap((kind) => {
      try {
        return readdirSync(`${runRoot}/networks/${zone}/${kind}`).map((name) => `${kind}/${name}`)
      } catch {
        return []
      }
    }),
  )
  return [...elements, ...links, ...files]
}

async function nothingLeft(t: Test, runRoot: string): Promise<void> {
  let left: string[] = []
  for (let attempt = 0; attempt < 100; attempt++) {
    left = leftovers(runRoot)
    if (left.length === 0) break
    await sleep(100)
  }
  t.strictSame(left, [], 'nothing of the containers is left')
}

t.test('the default network: out, in by published ports, and nothing left', async (t) => {
  const { run, shell, address, runRoot, engine, root, debian } = await setUp()
  t.match(
    await shell('cat /proc/net/route /etc/hosts; cat /sys/class/net/eth0/address'),
    /eth0\t00000000\t[\s\S]*172\.17\.0\.2\t[0-9a-f]{12}\n02:42:ac:11:00:02/,
  )
  t.equal(tool('cat', '/proc/sys/net/ipv4/ip_forward').trim(), '1')
  const web = await run(tcpServer(80, 'web'), {
    detached: true,
    name: 'web',
    ports: [
      { containerPort: 80, hostPort: 8080 },
      { containerPort: 80, hostAddress: '127.0.0.1' },
    ],
  })
  t.match(await eventually(() => say('127.0.0.1', 8080), /web/), /^web 172\.17\.0\.1\n$/)
  t.match(await say('172.17.0.1', 8080), /^web/, 'at every address of the host')
  const ports = (await web.summary()).ports
  const chosen = ports.find(({ hostAddress }) => hostAddress === '127.0.0.1')!.hostPort!
  t.match(await say('127.0.0.1', chosen), /^web/, 'a port of the kernel’s choice')
  await t.rejects(say('172.17.0.1', chosen), /ECONNREFUSED/, 'only at the address that was given')
  t.match(await shell(ask('172.17.0.1', 8080)), /^web/, 'from another container by the host')
  t.match(await shell(ask(await address(web), 80)), /^web/, 'and straight')
  t.match(await shell(`timeout 20 bash -c '${ask('127.0.0.1', 8080)}'`), /refused/, 'no loopback of the host inside')
  const line = cli({ root, runRoot })
  t.equal(
    (
      await line.run(['run', '--rm', '-p', '80', debian, 'cat', '/sys/class/net/eth0/operstate'], {
        env: { JUBAKO_NETWORK: '' },
      })
    ).stdout,
    'up\n',
    'a published port asks for the default network',
  )
  t.equal((await line.run(['run', '--rm', debian, 'ls', '/sys/class/net'])).stdout, 'lo\n')
  const port = await line.run(['port', 'web', '80'])
  t.same(port.stdout.split('\n').sort(), ['', `0.0.0.0:8080`, `127.0.0.1:${chosen}`])
  t.match((await line.run(['ps'])).stdout, /0\.0\.0\.0:8080->80\/tcp/)

  await t.test('a port that is taken', async (t) => {
    const second = line.run([
      'run',
      '--rm',
      '--network',
      'bridge',
      '-p',
      '8080:80',
      (await engine.images())[0]!.id,
      'true',
    ])
    const { code, stderr } = await second
    t.equal(code, 125)
    t.match(stderr, /Bind for 0\.0\.0\.0:8080 failed: port is already allocated\nhint: container web has it/)
    const server = createServer().listen(8090, '0.0.0.0')
    await new Promise((settle) => server.once('listening', settle))
    await t.rejects(run(['true'], { ports: [{ containerPort: 1, hostPort: 8090 }] }), {
      code: 'ERR_JUBAKO_CONFLICT',
      hint: new RegExp(`process ${process.pid} \\(.+\\) has it`),
    })
    await new Promise((settle) => server.close(settle))
    const other = spawn('perl', [
      '-MIO::Socket::INET',
      '-e',
      `IO::Socket::INET->new(LocalPort => 8080, Listen => 1) or exit 3`,
    ])
    t.equal(await new Promise((settle) => other.on('close', settle)), 3, 'a process cannot steal a published port')
  })

  await web.remove({ force: true })
  await nothingLeft(t, runRoot)
  await t.rejects(say('127.0.0.1', 8080), /ECONNREFUSED/)
})

t.test('names: of containers, aliases, addresses, and what is passed on', async (t) => {
  const it = await setUp()
  const { engine, run, shell, address, runRoot, root } = it
  await engine.networks.create('back')
  const options = { network: 'back', detached: true }
  const web = await run(tcpServer(80, 'web'), { ...options, name: 'web', networkAliases: ['www', 'both'] })
  const second = await run(['sleep', '600'], { ...options, name: 'second', networkAliases: ['both'] })
  const ip = await address(web, 'back')
  const resolve = (name: string) => `getent ahostsv4 ${name} | awk '{ print $1 }' | sort -u`
  const line = cli({ root, runRoot })
  const inSecond = async (script: string) => (await line.run(['exec', 'second', 'bash', '-c', script])).stdout
  for (const name of ['web', 'WEB', 'www', web.id.slice(0, 12), 'web.back']) {
    t.equal(await inSecond(resolve(name)), `${ip}\n`, name)
  }
  t.equal((await inSecond(resolve('both'))).split('\n').length, 3, 'two addresses of one name')
  t.match(await inSecond(`getent hosts ${ip}`), /\sweb\.back\n/, 'the name of an address')
  t.match(await shell(ask('web', 80), { network: 'back' }), /^web/)
  t.match(await inSecond('cat /etc/resolv.conf'), /^nameserver 127\.0\.0\.11\n[\s\S]*ndots:0/)
  t.equal(await inSecond('getent ahostsv6 web | grep -v ::ffff'), '', 'no address of another family')
  t.notMatch(
    await shell('cat /etc/resolv.conf', { network: 'bridge' }),
    /127\.0\.0\.11/,
    'the default network has none',
  )
  t.match(
    await shell(`timeout 3 bash -c '${ask(ip, 80)}' || echo no way`, { network: 'bridge' }),
    /no way/,
    'and no way from there',
  )

  await t.test('ten that all know each other, started at once by two processes', async (t) => {
    const image = it.debian
    const started = await Promise.all(
      Array.from({ length: 10 }, async (_, at) => {
        const name = `many${at}`
        if (at % 2 === 0) await run(tcpServer(80, name), { ...options, name })
        else {
          const { code, stderr } = await line.run([
            'run',
            '-d',
            '--name',
            name,
            '--network',
            'back',
            image,
            ...tcpServer(80, name),
          ])
          t.equal(code, 0, stderr)
        }
        return name
      }),
    )
    const addresses = await Promise.all(started.map(async (name) => address(await engine.container(name), 'back')))
    t.equal(new Set(addresses).size, 10, 'every one has its own address')
    const all = started.map((name) => `until ${ask(name, 80)} 2>/dev/null; do sleep 0.1; done`).join('; ')
    for (const name of ['many0', 'many9']) {
      const heard = await line.run(['exec', name, 'timeout', '60', 'bash', '-c', all])
      t.same(
        heard.stdout
          .split('\n')
          .map((text) => text.split(' ')[0])
          .filter(Boolean),
        started,
      )
    }
    for (const name of started) await (await engine.container(name)).remove({ force: true })
  })

  await t.test('it goes on when who started it is gone', async (t) => {
    const child = spawn(
      line.shell.split(' ')[0]!,
      [
        ...line.shell.split(' ').slice(1),
        'run',
        '-d',
        '--name',
        'orphan',
        '--network',
        'back',
        it.debian,
        'sleep',
        '600',
      ],
      { env: TOOL_ENV },
    )
    await new Promise((settle) => child.on('close', settle))
    t.equal((await line.run(['exec', 'orphan', 'bash', '-c', resolve('web')])).stdout, `${ip}\n`)
    await (await engine.container('orphan')).remove({ force: true })
  })

  await t.test('other names', async (t) => {
    const asked: string[] = []
    const zone = fakeResolver(asked)
    await zone.ready
    const dns = { dns: ['127.0.0.1'] }
    t.match(
      await shell('getent ahostsv4 far.example; getent ahostsv4 far.example', { network: 'back', ...dns }),
      /^9\.9\.9\.9 /,
    )
    t.ok(asked.includes('far.example'), 'asked at the resolver of the host, which only it can reach')
    t.match(
      await shell('echo options use-vc >>/etc/resolv.conf; getent ahostsv4 tcp.example', { network: 'back', ...dns }),
      /^9\.9\.9\.9 /,
      'by TCP too',
    )
    asked.length = 0
    await using inner = await engine.networks.create('inner', { internal: true })
    t.notMatch(await shell('getent ahostsv4 secret.example', { network: inner.name, ...dns }), /9\.9\.9\.9/)
    t.strictSame(asked, [], 'an internal network tells nothing to the outside (CVE-2024-29018)')
    await zone.close()
  })

  await t.rejects(
    engine.networks.remove('back'),
    /error while removing network: network back has active endpoints \(name:"/,
  )
  await web.remove({ force: true })
  await second.remove({ force: true })
  await engine.networks.remove('back')
  await nothingLeft(t, runRoot)
})

/** Answers every question for an IPv4 address with 9.9.9.9, by UDP and TCP, at 127.0.0.1:53. */
function fakeResolver(asked: string[]) {
  const answer = (query: Buffer): Buffer => {
    const labels: string[] = []
    let at = 12
    while (query[at] !== 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!))
      at += query[at]! + 1
    }
    asked.push(labels.join('.'))
    const isAddress = query.readUInt16BE(at + 1) === 1
    const header = Buffer.from(query.subarray(0, 12))
    header.writeUInt16BE(0x8180, 2)
    header.writeUInt16BE(isAddress ? 1 : 0, 6)
    header.writeUInt32BE(0, 8)
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 9, 9, 9, 9])
    return Buffer.concat([header, query.subarray(12, at + 5), ...(isAddress ? [record] : [])])
  }
  const udp = createSocket('udp4')
  udp.on('message', (query, from) => udp.send(answer(query), from.port, from.address))
  const sockets = new Set<Socket>()
  const tcp: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (query) => {
      const reply = answer(query.subarray(2))
      const size = Buffer.alloc(2)
      size.writeUInt16BE(reply.length)
      socket.write(Buffer.concat([size, reply]))
    })
  })
  return {
    ready: Promise.all([
      new Promise<void>((settle) => udp.bind(53, '127.0.0.1', () => settle())),
      new Promise<void>((settle) => tcp.listen(53, '127.0.0.1', () => settle())),
    ]),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await Promise.all([
        new Promise<void>((settle) => udp.close(() => settle())),
        new Promise((settle) => tcp.close(settle)),
      ])
    },
  }
}

t.test('UDP, IPv6 and ranges', async (t) => {
  const { engine, run, shell, runRoot } = await setUp()
  await using net = await engine.networks.create('dual', { ipv6: true })
  const inspected = (await net.inspect()) as { IPAM: { Config: { Subnet: string; Gateway: string }[] } }
  const six = inspected.IPAM.Config.find(({ Subnet }) => Subnet.includes(':'))!
  await using echo = await run(udpServer(5000), {
    network: 'dual',
    name: 'echo',
    ports: [{ containerPort: 5000, protocol: 'udp', hostPort: 5300, hostPortEnd: 5310 }],
  })
  const { ports } = await echo.summary()
  t.same(
    ports.map(({ hostAddress, hostPort }) => `${hostAddress} ${hostPort}`).sort(),
    ['0.0.0.0 5300', ':: 5300'],
    'the same number at both families',
  )
  const ping = (family: 'udp4' | 'udp6', address: string) =>
    new Promise<string>((settle, fail) => {
      const socket = createSocket(family)
      const timer = setTimeout(() => {
        socket.close()
        fail(new Error('no answer'))
      }, 1000)
      socket.on('message', (text) => {
        clearTimeout(timer)
        socket.close()
        settle(String(text))
      })
      socket.send('hello', 5300, address)
    })
  t.equal(await eventually(() => ping('udp4', '127.0.0.1'), /echo/), 'echo hello')
  const server = [
    'perl',
    '-MIO::Socket::IP',
    '-e',
    'use Socket; $s = IO::Socket::IP->new(LocalHost => "::", LocalPort => 80, Listen => 9, V6Only => 1) or die $!; while ($c = $s->accept) { print $c "six\\n"; close $c }',
  ]
  await using web = await run(server, { network: 'dual', name: 'six', ports: [{ containerPort: 80, hostPort: 8006 }] })
  t.equal(await eventually(() => say(six.Gateway, 8006), /six/), 'six\n', 'published at the IPv6 address of the host')
  t.equal(await shell(ask('six', 80), { network: 'dual' }), 'six\n', 'by name, which has both families')
  await web.close()
  await echo.close()
  await nothingLeft(t, runRoot)
})

t.test('connected and disconnected while it runs', async (t) => {
  const { engine, run, root, runRoot, address } = await setUp()
  const [one, two] = [
    await engine.networks.create('one'),
    await engine.networks.create('two', { pools: [{ subnet: '10.77.0.0/24' }] }),
  ]
  const web = await run(tcpServer(80, 'web'), {
    network: 'one',
    detached: true,
    name: 'web',
    ports: [{ containerPort: 80, hostPort: 8080 }],
  })
  const client = await run(['sleep', '600'], { network: 'two', detached: true, name: 'client' })
  const line = cli({ root, runRoot })
  await eventually(() => say('127.0.0.1', 8080), /web/)
  let failures = 0
  let stop = false
  const traffic = (async () => {
    while (!stop) await say('127.0.0.1', 8080).catch(() => failures++)
  })()
  const heard = async () => (await line.run(['exec', 'client', 'timeout', '5', 'bash', '-c', ask('web', 80)])).stdout
  t.equal(await heard(), '')
  for (let round = 0; round < 3; round++) {
    const { code, stderr } = await line.run([
      'network',
      'connect',
      '--alias',
      'other',
      '--ip',
      '10.77.0.99',
      'two',
      'web',
    ])
    t.equal(code, 0, stderr)
    t.match(await heard(), /^web/)
    t.equal(await address(web, 'two'), '10.77.0.99')
    t.match(((await two.inspect()) as { Containers: object }).Containers, {
      [web.id]: { Name: 'web', IPv4Address: '10.77.0.99/24' },
    })
    t.match(
      (await line.run(['network', 'connect', 'two', 'web'])).stderr,
      /endpoint with name web already exists in network two/,
    )
    await two.disconnect('web')
    t.equal(await heard(), '', 'gone')
  }
  stop = true
  await traffic
  t.equal(failures, 0, 'traffic of the other network goes on')
  await two.connect('web', { ip: '10.77.0.99' })
  await t.rejects(run(['true'], { networks: [{ name: 'two', ip: '10.77.0.99' }] }), {
    message: /Address already in use/,
  })
  await t.rejects(two.disconnect('nosuch'), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await web.remove({ force: true })
  await client.remove({ force: true })
  t.strictSame((await engine.networks.prune()).sort(), ['one', 'two'])
  t.equal(one.name, 'one')
  await nothingLeft(t, runRoot)
})

t.test('killed at random moments, nothing stays', async (t) => {
  const { engine, root, runRoot, debian } = await setUp()
  await engine.networks.create('crash')
  const line = cli({ root, runRoot })
  const shared = ['--network', 'crash', '--network-alias', 'victim', '-p', '9000-9100:80', debian]
  for (let round = 0; round < 12; round++) {
    const child = line.start(['run', '--rm', ...shared, 'sleep', '600'])
    await sleep(Math.random() * 500)
    child.kill('SIGKILL')
    await new Promise((settle) => child.on('close', settle))
    // A detached container outlives its command line: its supervisor is killed too, if there is one.
    for (const id of readdirSync(runRoot).filter((name) => name.length === 64)) {
      for (const pid of supervisorsOf(id)) process.kill(pid, 'SIGKILL')
    }
  }
  let left: unknown[] = [0]
  for (let attempt = 0; attempt < 60 && left.length > 0; attempt++) {
    for (const { id, state } of await engine.containers({ all: true })) {
      if (state !== 'running') await (await engine.container(id)).remove({ force: true }).catch(() => {})
    }
    // Whoever opens the store sweeps.
    await line.run(['ps'])
    left = leftovers(runRoot)
    await sleep(50)
  }
  t.strictSame(left, [])
  await engine.networks.remove('crash')
  t.notMatch(tool('ip', '-br', 'link'), /^br-/m)
})

/** Processes whose command line says that they supervise this container. */
function supervisorsOf(id: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `jubako-init\0supervise\0${id}\0`
      } catch {
        return false
      }
    })
    .map(Number)
}

t.test('rules that a reload of the firewall took away come back', async (t) => {
  const { run, shell, runRoot } = await setUp()
  await using web = await run(tcpServer(80, 'web'), { ports: [{ containerPort: 80, hostPort: 8080 }] })
  await eventually(() => say('127.0.0.1', 8080), /web/)
  tool('nft', 'add', 'table', 'inet', 'others')
  const before = tool('nft', 'list', 'ruleset')
  tool('nft', 'flush', 'ruleset')
  await t.rejects(say('127.0.0.1', 8080))
  await shell('true')
  t.match(await say('127.0.0.1', 8080), /^web/, 'of a container that ran all the time')
  tool('nft', 'add', 'table', 'inet', 'others')
  t.equal(tool('nft', 'list', 'ruleset').replaceAll(/\s+/g, '').length, before.replaceAll(/\s+/g, '').length)
  for (const table of tool('nft', 'list', 'tables').match(/jubako\S*/g) ?? [])
    tool('nft', 'flush', 'chain', 'inet', table, 'forward')
  await shell('true')
  t.match(tool('nft', 'list', 'ruleset'), /chain forward \{[^}]*established/, 'also when only rules were taken')
  await web.close()
  await nothingLeft(t, runRoot)
})

t.test('started again by its policy, it has its networks again', async (t) => {
  const { engine, debian, runRoot } = await setUp()
  await engine.networks.create('again')
  const script = 'getent hosts keeper && test -e /again && exec sleep 600; touch /again; exit 1'
  const container = await engine.run(debian, ['bash', '-c', script], {
    network: 'again',
    detached: true,
    name: 'keeper',
    restart: { policy: 'always' },
    ports: [{ containerPort: 80, hostPort: 8080 }],
  } as RunOptions)
  const state = async () => {
    const { RestartCount, State } = (await container.inspect()) as { RestartCount: number; State: { Status: string } }
    return `${RestartCount} ${State.Status}`
  }
  t.match(await eventually(state, /^1 running/), /^1 running/, 'its own name is known in the second life')
  t.match((await container.summary()).ports, [{ hostPort: 8080 }])
  await container.remove({ force: true })
  await engine.networks.remove('again')
  await nothingLeft(t, runRoot)
})

t.test('what cannot be', async (t) => {
  const { engine, run, root, runRoot, debian } = await setUp()
  const line = cli({ root, runRoot })
  await engine.networks.create('taken', { pools: [{ subnet: '10.9.0.0/16' }] })
  const cases: [string[], number, RegExp][] = [
    [['network', 'create', 'taken'], 1, /network with name taken already exists/],
    [['network', 'create', 'bridge'], 1, /operation is not permitted on predefined bridge network/],
    [['network', 'rm', 'bridge'], 1, /bridge is a pre-defined network and cannot be removed/],
    [['network', 'rm', 'nosuch'], 1, /network nosuch not found/],
    [['network', 'inspect', 'nosuch'], 1, /network nosuch not found/],
    [['network', 'create', '--subnet', '10.9.1.0/24', 'x'], 1, /Pool overlaps with other one on this address space/],
    [
      ['network', 'create', '--subnet', '10.9.1.5/8', 'x'],
      1,
      /invalid subnet 10\.9\.1\.5\/8: it should be 10\.0\.0\.0\/8/,
    ],
    [
      ['network', 'create', '--gateway', '10.0.0.1', 'x'],
      1,
      /every ip-range or gateway must have a corresponding subnet/,
    ],
    [['network', 'create', '-d', 'nosuch', 'x'], 1, /plugin nosuch/],
    [['network', 'create', '-d', 'macvlan', 'x'], 1, /needs a parent/],
    [['network', 'ls', '-f', 'foo=bar'], 1, /Invalid filter 'foo'/],
    [['run', '--rm', '--network', 'nosuch', debian, 'true'], 125, /network nosuch not found/],
    [
      ['run', '--rm', '--network', 'bridge', '--ip', '172.17.0.9', debian, 'true'],
      125,
      /user specified IP address is supported on user defined networks only/,
    ],
    [
      ['run', '--rm', '--network', 'taken', '--ip', '1.2.3.4', debian, 'true'],
      125,
      /no configured subnet contains IP address 1\.2\.3\.4/,
    ],
    [['run', '--rm', '--network', 'taken', '--ip', '10.9.0.1', debian, 'true'], 125, /Address already in use/],
    [
      ['run', '--rm', '--network', 'bridge', '--network-alias', 'a', debian, 'true'],
      125,
      /network-scoped aliases are only supported/,
    ],
    [['run', '--rm', '--network', 'bridge', '-p', '80x:1', debian, 'true'], 125, /invalid hostPort: 80x/],
    [['run', '--rm', '--network', 'bridge', '-p', '9.9.9.9:80:80', debian, 'true'], 125, /EADDRNOTAVAIL/],
  ]
  for (const [words, code, message] of cases) {
    const result = await line.run(words)
    t.equal(result.code, code, words.join(' '))
    t.match(result.stderr, message, words.join(' '))
  }
  const unnamed = ['run', '--rm', debian, 'cat', '/etc/hosts']
  t.match((await line.run(unnamed, { env: { JUBAKO_NETWORK: '' } })).stdout, /^172\.\d+\.0\.\d+\t[0-9a-f]{12}$/m)
  t.match((await line.run(unnamed, { env: { JUBAKO_NETWORK: 'taken' } })).stdout, /^10\.9\.0\.\d+\t[0-9a-f]{12}$/m)
  const { stdout } = await line.run(['network', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}'])
  t.equal(stdout, 'bridge bridge local\nhost host local\nnone null local\ntaken bridge local\n', 'nothing half-made')
  t.equal((await line.run(['network', 'rm', 'taken'])).stdout, 'taken\n')
  t.equal((await line.run(['network', 'rm', '-f', 'taken'])).code, 0)
  await using small = await engine.networks.create('small', { pools: [{ subnet: '10.10.0.0/30' }] })
  await using only = await run(['sleep', '600'], { network: small.name })
  await t.rejects(run(['true'], { network: small.name }), /no available IPv4 addresses on this network's address pools/)
  await only.close()
  await nothingLeft(t, runRoot)
})
