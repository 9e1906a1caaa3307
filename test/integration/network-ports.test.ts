// lanes: host
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { ask, eventually, nothingLeft, ping, say, setUp, tcpServer, tool, udpServer } from '../helpers/network-host.js'

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
  t.equal(await eventually(() => ping('127.0.0.1', 5300), /echo/), 'echo hello')
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

t.test('all declared ports, ephemeral ones, and a client from outside', async (t) => {
  const { engine, run, root, runRoot, debian } = await setUp()
  await using net = await engine.networks.create('dual', { ipv6: true })
  const line = cli({ root, runRoot })
  const words = ['run', '-d', '--name', 'all', '--network', net.name, '--expose', '80', '--expose', '53/udp', '-P']
  const started = await line.run([...words, debian, ...tcpServer(80, 'all')])
  t.equal(started.code, 0, started.stderr)
  const all = await engine.container('all')
  const { ports } = await all.summary()
  t.same(
    ports.map(({ port, protocol, hostAddress }) => `${port}/${protocol} ${hostAddress}`),
    ['53/udp 0.0.0.0', '53/udp ::', '80/tcp 0.0.0.0', '80/tcp ::'],
  )
  const [udp4, udp6, tcp4, tcp6] = ports.map(({ hostPort }) => hostPort ?? 0)
  t.ok(udp4 === udp6 && tcp4 === tcp6 && tcp4! > 1023, 'the same number at both families')
  t.equal((await line.run(['port', 'all', '80'])).stdout, `0.0.0.0:${tcp4}\n[::]:${tcp4}\n`)
  for (const host of ['0.0.0.0', '::']) {
    const thief = createServer()
    const error = await new Promise<NodeJS.ErrnoException>((settle) =>
      thief.on('error', settle).listen({ port: tcp4!, host, ipv6Only: true }),
    )
    t.equal(error.code, 'EADDRINUSE', `nobody steals it at ${host}`)
  }
  await eventually(() => say('127.0.0.1', tcp4!), /all/)

  // Another machine, on a wire to this one.
  tool('ip', 'netns', 'add', 'outside')
  t.teardown(() => tool('ip', 'netns', 'del', 'outside'))
  tool('ip', 'link', 'add', 'wire0', 'type', 'veth', 'peer', 'name', 'wire1', 'netns', 'outside')
  tool('ip', 'addr', 'add', '198.51.100.1/24', 'dev', 'wire0')
  tool('ip', 'link', 'set', 'wire0', 'up')
  const outside = (...command: string[]) => tool('ip', 'netns', 'exec', 'outside', ...command)
  outside('ip', 'addr', 'add', '198.51.100.9/24', 'dev', 'wire1')
  outside('ip', 'link', 'set', 'wire1', 'up')
  t.equal(
    outside('timeout', '20', 'bash', '-c', ask('198.51.100.1', tcp4!)),
    'all 198.51.100.9\n',
    'the server sees who asks',
  )
  await all.remove({ force: true })

  await using sctp = await run(['sleep', '600'], {
    ports: [{ containerPort: 80, protocol: 'sctp', hostPort: 8132 }],
    macAddress: '02:aa:bb:cc:dd:ee',
  })
  t.match((await sctp.summary()).ports, [{ port: 80, protocol: 'sctp', hostPort: 8132 }])
  t.match(tool('nft', 'list', 'ruleset'), /sctp \. 8132 : 172\.17\.0\.\d+ \. 80/)
  t.equal(
    (await line.run(['exec', sctp.id, 'cat', '/sys/class/net/eth0/address'])).stdout,
    '02:aa:bb:cc:dd:ee\n',
    'with a mac address of its own',
  )
  await sctp.close()
  for (let round = 0; round < 5; round++) {
    await using container = await run(['true'], { ports: [{ containerPort: 80, hostPort: 8080 }] })
    await container.wait()
  }
  t.pass('a port is free as soon as its container is gone')
  await nothingLeft(t, runRoot)
})
