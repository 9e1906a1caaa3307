// lanes: host
import { spawn } from 'node:child_process'
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { fakeResolver } from '../helpers/fake-resolver.js'
import { ask, nothingLeft, setUp, tcpServer } from '../helpers/network-host.js'
import { TOOL_ENV } from '../helpers/processes.js'

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
