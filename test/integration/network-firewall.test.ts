// lanes: host
// Machines that lack something: nf_tables, all rules, IPv6. Each in a network namespace of its own.
import '../helpers/own-network.js'
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { runToEnd, testEngine } from '../helpers/engine.js'
import { eventually, nothingLeft, say, tool } from '../helpers/network-host.js'

const rules = () => ['iptables', 'ip6tables'].map((name) => tool(`${name}-legacy-save`)).join('')
const web = ['sh', '-c', 'while :; do echo web | nc -l -p 80; done']

t.test('rules by iptables where nf_tables is missing', async (t) => {
  const it = await testEngine(t, { firewallBackend: 'iptables' })
  const { engine, image, root, runRoot } = it
  tool('iptables-legacy', '-A', 'FORWARD', '-s', '192.0.2.1', '-j', 'DROP')
  const dual = await engine.networks.create('dual', { ipv6: true, pools: [{ subnet: '10.31.0.0/24' }] })
  const other = await engine.networks.create('other', { pools: [{ subnet: '10.32.0.0/24' }] })
  const inner = await engine.networks.create('inner', { internal: true, pools: [{ subnet: '10.33.0.0/24' }] })
  const server = await engine.run(image, web, {
    network: 'dual',
    name: 'web',
    detached: true,
    ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 80 }],
  })
  t.match(await eventually(() => say('127.0.0.1', 8080), /web/), /web/)
  const chosen = (await server.summary()).ports.find(({ hostPort }) => hostPort !== 8080)!.hostPort!
  t.match(await eventually(() => say('127.0.0.1', chosen), /web/), /web/, 'a port of the kernel’s choice')
  t.match(await eventually(() => say('10.31.0.1', 8080), /web/), /web/)
  const six = /fd[0-9a-f]*:[0-9a-f:]+/.exec(tool('ip', '-6', '-br', 'addr', 'show', 'scope', 'global'))![0]
  t.match(await eventually(() => say(six, 8080), /web/), /web/, 'at the IPv6 address of the host')
  const from = async (network: string, script: string) => (await runToEnd(it, ['sh', '-c', script], { network })).stdout
  const ask = (where: string) => `nc -w 5 ${where} < /dev/null; echo $?`
  t.match(await from('dual', 'nslookup web; ping -c 1 -W 5 web'), /10\.31\.0\.2[\s\S]*1 packets received/, 'by name')
  t.match(await from('dual', ask('10.31.0.1 8080')), /web/, 'by the host, in its own network')
  t.match(await from('other', ask('10.31.0.1 8080')), /web/, 'by the host, from another')
  t.match(await from('other', 'ping -c 1 -W 1 10.31.0.2'), /0 packets received/, 'not straight from another')
  t.notMatch(await from('inner', 'ping -c 1 -W 1 10.31.0.1; ping -c 1 -W 1 10.31.0.2'), /1 packets received/)
  t.match(await from('dual', ask('127.0.0.1 8080')), /^1$/m, 'no loopback of the host inside')
  t.notMatch(tool('nft', 'list', 'tables'), /jubako/)

  // Another process that opens the store goes on with what this one decided.
  const line = cli({ root, runRoot })
  const second = await line.run(['run', '-d', '--name', 'second', '--network', 'other', '-p', '8081:80', image, ...web])
  t.equal(second.code, 0, second.stderr)
  t.match(await eventually(() => say('127.0.0.1', 8081), /web/), /web/)

  for (const table of ['nat', 'filter']) {
    tool('iptables-legacy', '-t', table, '-F')
    tool('iptables-legacy', '-t', table, '-X')
  }
  await t.rejects(say('127.0.0.1', 8080))
  t.match(await from('dual', 'ping -c 1 -W 5 web'), /1 packets received/)
  t.match(await eventually(() => say('127.0.0.1', 8080), /web/), /web/, 'made again by the next start')
  t.match(await eventually(() => say('127.0.0.1', 8081), /web/), /web/)

  tool('iptables-legacy', '-A', 'FORWARD', '-s', '192.0.2.2', '-j', 'DROP')
  await line.run(['kill', 'second'])
  await (await engine.container('second')).remove({ force: true })
  await server.remove({ force: true })
  for (const network of [dual, other, inner]) await network.remove()
  t.notMatch(rules(), /10\.3\d\.0|br-|fd[0-9a-f]/, 'nothing of them is left')
  t.match(rules(), /-A FORWARD -s 192\.0\.2\.2\/32 -j DROP/, 'the rules of the host are')
  await nothingLeft(t, runRoot)
})

t.test('without any rules there are no bridges, and the rest works', async (t) => {
  const it = await testEngine(t, { firewallBackend: 'none' })
  const { engine, image, root, runRoot } = it
  const forward = '/proc/sys/net/ipv4/ip_forward'
  writeFileSync(forward, '0')
  const missing = {
    code: 'ERR_JUBAKO_UNSUPPORTED',
    message: 'this machine has neither nf_tables nor iptables, which bridge networks need',
    hint: /use --network none, host/,
  }
  await t.rejects(engine.networks.create('bridged'), missing)
  await t.rejects(engine.run(image, ['true'], { network: 'bridge' }), missing)
  const line = cli({ root, runRoot })
  const refused = await line.run(['run', '--rm', '-p', '8080:80', image, 'true'], {
    env: { JUBAKO_NETWORK: '' },
  })
  t.equal(refused.code, 125)
  t.match(refused.stderr, missing.message)
  t.equal(readFileSync(forward, 'utf8').trim(), '0', 'the host is as it was')
  t.notMatch(tool('ip', '-br', 'link'), /^(br-|jk)/m)
  t.strictSame(
    (await engine.networks.list()).map(({ name }) => name),
    ['bridge', 'host', 'none'],
    'nothing half-made',
  )
  for (const network of ['none', 'host'])
    t.equal((await line.run(['run', '--rm', '--network', network, image, 'true'])).code, 0)
  t.strictSame((await line.run(['ps', '-aq'])).stdout, '')
})

t.test('without IPv6', async (t) => {
  const it = await testEngine(t)
  const { engine, image, root, runRoot } = it
  const line = cli({ root, runRoot })
  const all = '/proc/sys/net/ipv6/conf/all/disable_ipv6'
  const before = await engine.networks.create('before', { ipv6: true })
  await before.remove()
  const kept = await engine.networks.create('kept', { ipv6: true })
  writeFileSync(all, '1')
  t.teardown(() => writeFileSync(all, '0'))
  const disabled = {
    code: 'ERR_JUBAKO_UNSUPPORTED',
    message: 'IPv6 is disabled on this host',
    hint: /disable_ipv6 to 0/,
  }
  await t.rejects(engine.networks.create('six', { ipv6: true }), disabled)
  await t.rejects(engine.networks.create('six', { pools: [{ subnet: 'fd00:9::/64' }] }), disabled)
  const refused = await line.run(['network', 'create', '--ipv6', 'six'])
  t.equal(refused.code, 1)
  t.match(refused.stderr, /IPv6 is disabled on this host\nhint: leave --ipv6/)
  tool('ip', 'link', 'del', tool('ip', '-br', 'link').match(/^br-[0-9a-f]+/m)![0])
  await t.rejects(engine.run(image, ['true'], { network: 'kept' }), disabled, 'a network that was made before')
  await kept.remove()
  const four = await engine.networks.create('four')
  const { stdout } = await runToEnd(it, ['sh', '-c', 'ping -c 1 -W 5 $(hostname); cat /proc/net/if_inet6'], {
    network: 'four',
    ports: [{ containerPort: 80, hostPort: 8080 }],
  })
  t.match(stdout, /1 packets received/, 'IPv4 works')
  await four.remove()
  t.strictSame(
    (await engine.networks.list()).map(({ name }) => name),
    ['bridge', 'host', 'none'],
  )
})
