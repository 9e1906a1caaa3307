// lanes: host
import t from 'tap'
import { cli } from '../helpers/cli.js'
import { nothingLeft, setUp } from '../helpers/network-host.js'

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
