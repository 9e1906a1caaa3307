// lanes: host
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { fakeResolver } from '../helpers/fake-resolver.js'
import { ask, nothingLeft, setUp, tcpServer } from '../helpers/network-host.js'
import { TOOL_ENV, tool } from '../helpers/processes.js'

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

t.test('a hundred containers that talk by name', async (t) => {
  const { engine, image, debian, runRoot, root } = await setUp()
  await engine.networks.create('crowd')
  const names = Array.from({ length: 100 }, (_, at) => `crowd${at}`)
  const options = { network: 'crowd', detached: true }
  const asks = (name: string) => name === 'crowd0' || name === 'crowd99'
  const start = (name: string) =>
    asks(name)
      ? engine.run(debian, ['sleep', '600'], { ...options, name })
      : engine.run(image, ['httpd', '-f', '-p', '80', '-h', '/etc'], { ...options, name, hostname: name })
  const all = []
  for (let at = 0; at < names.length; at += 10) all.push(...(await Promise.all(names.slice(at, at + 10).map(start))))
  const line = cli({ root, runRoot })
  const request = "exec 3<>/dev/tcp/crowd$at/80 && printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3"
  const script = `for at in {1..98}; do (${request}) || echo "no $at"; done`
  for (const name of ['crowd0', 'crowd99']) {
    const { stdout } = await line.run(['exec', name, 'timeout', '120', 'bash', '-c', script])
    const heard = stdout.trim().split('\n')
    t.same(heard, names.slice(1, 99), `${name} hears all the others that serve`)
  }
  for (let at = 0; at < all.length; at += 10) {
    await Promise.all(all.slice(at, at + 10).map((container) => container.remove({ force: true })))
  }
  await engine.networks.remove('crowd')
  await nothingLeft(t, runRoot)
})

t.test('links, host-gateway, and a host whose resolver is 127.0.0.53', async (t) => {
  const { run, image, engine, root, runRoot, address, shell } = await setUp()
  const line = cli({ root, runRoot })
  const env = { JUBAKO_NETWORK: '' }
  const db = await engine.run(image, ['httpd', '-f', '-p', '80', '-h', '/etc'], {
    network: 'bridge',
    detached: true,
    name: 'db',
    hostname: 'dbhost',
    env: ['KEY=value', 'HOME=/nowhere'],
    expose: ['80', '53/udp'],
  })
  const ip = await address(db)
  const words = ['run', '--rm', '--link', 'db:my-db', '--name', 'app', image]
  const linked = await line.run(
    [...words, 'sh', '-c', 'env | sort | grep ^MY; wget -qO- my-db/hostname; cat /etc/hosts'],
    { env },
  )
  t.equal(linked.code, 0, linked.stderr)
  const variables = [
    'MY_DB_ENV_KEY=value',
    'MY_DB_NAME=/app/my-db',
    `MY_DB_PORT=udp://${ip}:53`,
    `MY_DB_PORT_53_UDP=udp://${ip}:53`,
    `MY_DB_PORT_53_UDP_ADDR=${ip}`,
    'MY_DB_PORT_53_UDP_PORT=53',
    'MY_DB_PORT_53_UDP_PROTO=udp',
    `MY_DB_PORT_80_TCP=tcp://${ip}:80`,
    `MY_DB_PORT_80_TCP_ADDR=${ip}`,
    'MY_DB_PORT_80_TCP_PORT=80',
    'MY_DB_PORT_80_TCP_PROTO=tcp',
  ]
  t.same(linked.stdout.split('\n').slice(0, 12), [...variables, 'dbhost'])
  t.match(linked.stdout, new RegExp(`^${ip}\tmy-db ${db.id.slice(0, 12)} db$`, 'm'))
  await db.stop({ timeout: 0 })
  const late = await line.run([...words, 'true'], { env })
  t.equal(late.code, 125)
  t.match(late.stderr, /Cannot link to a non running container: \/db AS \/app\/my-db/)
  await db.remove({ force: true })

  const gateway = await line.run(
    ['run', '--rm', '--add-host', 'host.docker.internal:host-gateway', image, 'cat', '/etc/hosts'],
    { env },
  )
  t.match(gateway.stdout, /^172\.\d+\.0\.1\thost\.docker\.internal$/m)

  // A machine with systemd-resolved: its resolver listens at a loopback address, where no container gets.
  const asked: string[] = []
  const resolver = fakeResolver(asked, '127.0.0.53')
  await resolver.ready
  const file = `${runRoot}/resolv.conf`
  writeFileSync(file, 'nameserver 127.0.0.53\noptions edns0\n')
  await engine.networks.create('stub')
  for (const network of ['bridge', 'stub']) {
    const command = `${line.shell} run --rm --network ${network} ${image} nslookup -type=a far.${network}`
    const script = `mount --bind ${file} /etc/resolv.conf && exec ${command}`
    const output = await tool('unshare', ['--mount', 'sh', '-c', script])
    t.match(output, /9\.9\.9\.9/, network)
    t.ok(asked.includes(`far.${network}`))
  }
  await resolver.close()
  await engine.networks.remove('stub')

  const six = await engine.networks.create('six', { pools: [{ subnet: 'fd00:6::/64' }, { subnet: '10.66.0.0/24' }] })
  const own = { networks: [{ name: 'six', ip6: 'fd00:6::42', ip: '10.66.0.42' }] }
  t.match(
    await shell('cat /etc/hosts; cat /proc/net/if_inet6', own),
    /fd00:6::42\t[\s\S]*fd000006000000000000000000000042/,
  )
  await t.rejects(
    run(['true'], { networks: [{ name: 'six', ip6: 'fd00:7::1' }] }),
    /no configured subnet contains IP address/,
  )
  await six.remove()
  await nothingLeft(t, runRoot)
})
