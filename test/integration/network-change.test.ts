// lanes: host
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { RunOptions } from '../../src/index.js'
import { cli } from '../helpers/cli.js'
import { ask, eventually, leftovers, nothingLeft, say, setUp, tcpServer, tool } from '../helpers/network-host.js'

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

t.test('networks and ports that changed while it ran are those of its next life', async (t) => {
  const { engine, debian, root, runRoot, address } = await setUp()
  const [first, second] = [await engine.networks.create('aaa'), await engine.networks.create('bbb')]
  const loop = `trap 'exit 1' USR1; perl -e '${tcpServer(80, 'life').at(-1)!.replaceAll("'", `'"'"'`)}' & wait`
  const container = await engine.run(debian, ['bash', '-c', loop.replace('perl -e', 'perl -MIO::Socket::INET -e')], {
    network: 'aaa',
    detached: true,
    name: 'changing',
    restart: { policy: 'on-failure' },
    ports: [{ containerPort: 80, hostPort: 8080 }],
  } as RunOptions)
  const line = cli({ root, runRoot })
  const asker = await engine.run(debian, ['sleep', '600'], { network: 'bbb', detached: true, name: 'asker' })
  const heard = async () => (await line.run(['exec', 'asker', 'bash', '-c', ask('changing', 80)])).stdout
  await eventually(() => say('127.0.0.1', 8080), /life/)
  await second.connect('changing', { aliases: ['again'] })
  await first.disconnect('changing')
  t.match(await eventually(() => say('127.0.0.1', 8080), /life/), /life/, 'its port leads through the other network')
  t.match(await heard(), /life/)
  const before = await address(container, 'bbb')
  // Not by `kill`, which would end the policy.
  process.kill(((await container.inspect()) as { State: { Pid: number } }).State.Pid, 'SIGUSR1')
  const state = async () => {
    const { RestartCount, State } = (await container.inspect()) as { RestartCount: number; State: { Status: string } }
    return `${RestartCount} ${State.Status}`
  }
  t.match(await eventually(state, /^1 running/), /^1 running/)
  t.match(await eventually(() => say('127.0.0.1', 8080), /life/), /life/, 'in the next life too')
  t.match(await eventually(heard, /life/), /life/, 'and by its name')
  t.equal(await address(container, 'bbb'), before)
  t.equal((await line.run(['exec', 'changing', 'ls', '/sys/class/net'])).stdout, 'eth1\nlo\n')
  await first.connect('changing')
  await second.disconnect('changing')
  await first.disconnect('changing')
  await t.rejects(say('127.0.0.1', 8080), { code: 'ECONNREFUSED' }, 'without a network there is no port')
  t.equal((await line.run(['port', 'changing'])).stdout, '')
  await second.connect('changing')
  t.match(await eventually(() => say('127.0.0.1', 8080), /life/), /life/)
  await container.remove({ force: true })
  await asker.remove({ force: true })
  await engine.networks.prune()
  await nothingLeft(t, runRoot)
})

t.test('rules that a reload of the firewall took away come back', async (t) => {
  const { engine, run, shell, runRoot } = await setUp()
  const gone = await engine.networks.create('gone')
  await using net = await engine.networks.create('healed')
  const published = { detached: true, ports: [{ containerPort: 80, hostPort: 8080 }] }
  const web = await run(tcpServer(80, 'web'), { ...published, network: net.name, name: 'web' })
  const more = await run(tcpServer(80, 'more'), { detached: true, ports: [{ containerPort: 80, hostPort: 8081 }] })
  await gone.remove()
  const both = async () => `${await say('127.0.0.1', 8080)}${await say('127.0.0.1', 8081)}`
  await eventually(both, /web[\s\S]*more/)
  const [pid] = supervisorsOf(web.id)
  const wakings = () => /^voluntary_ctxt_switches:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]
  // It waits twice, the second time without end.
  await sleep(500)
  const quiet = wakings()
  for (let round = 0; round < 3; round++)
    await shell('true', { network: net.name, ports: [{ containerPort: 80, hostPort: 8082 }] })
  t.equal(wakings(), quiet, 'containers that come and go wake no supervisor')

  tool('nft', 'add', 'table', 'inet', 'others')
  const before = tool('nft', 'list', 'ruleset')
  const size = (ruleset: string) => ruleset.replaceAll(/\s+/g, '').length
  tool('nft', 'flush', 'ruleset')
  await eventually(both, /web[\s\S]*more/)
  tool('nft', 'add', 'table', 'inet', 'others')
  for (let attempt = 0; size(tool('nft', 'list', 'ruleset')) !== size(before) && attempt < 100; attempt++)
    await sleep(50)
  t.equal(size(tool('nft', 'list', 'ruleset')), size(before), 'all of them, by those who run')

  // As a service that loads a file of rules does.
  writeFileSync(`${runRoot}/host.nft`, 'flush ruleset\ntable inet host { chain c { counter; }; }\n')
  for (let round = 0; round < 5; round++) tool('nft', '-f', `${runRoot}/host.nft`)
  t.match(await eventually(both, /web[\s\S]*more/), /web[\s\S]*more/)
  t.match(tool('nft', 'list', 'ruleset'), /table inet host/, 'beside those of the host')

  await net.disconnect('web')
  await net.connect('web')
  tool('nft', 'flush', 'ruleset')
  t.match(await eventually(both, /web[\s\S]*more/), /web[\s\S]*more/, 'as its networks are now')
  for (const table of tool('nft', 'list', 'tables').match(/jubako\S*/g) ?? [])
    tool('nft', 'flush', 'chain', 'inet', table, 'forward')
  await shell('true')
  t.match(tool('nft', 'list', 'ruleset'), /chain forward \{[^}]*established/, 'when only rules were taken, by a start')
  for (const container of [web, more]) await container.remove({ force: true })
  tool('nft', 'flush', 'ruleset')
  await shell('true')
  await nothingLeft(t, runRoot)
})

t.test('killed at random moments, nothing stays', async (t) => {
  const { engine, root, runRoot, debian } = await setUp()
  await engine.networks.create('crash')
  const line = cli({ root, runRoot })
  const shared = ['--network', 'crash', '--network-alias', 'victim', '-p', '9000-9100:80', debian]
  for (let round = 0; round < 12; round++) {
    const child = line.start(['run', '--rm', ...shared, 'sleep', '600'])
    const closed = new Promise((settle) => child.on('close', settle))
    await sleep(Math.random() * 500)
    child.kill('SIGKILL')
    await closed
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
