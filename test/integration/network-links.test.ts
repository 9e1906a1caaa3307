// lanes: vm
// macvlan and ipvlan need a kernel that has them: the stock one of the VM.
import '../helpers/own-network.js'
import { execFileSync } from 'node:child_process'
import t from 'tap'
import { collect, testEngine } from '../helpers/engine.js'
import { TOOL_ENV } from '../helpers/processes.js'

const ip = (...words: string[]) => execFileSync('ip', words, { encoding: 'utf8', env: TOOL_ENV })

t.test('containers on a link of the host', async (t) => {
  ip('link', 'add', 'parent0', 'type', 'veth', 'peer', 'name', 'parent1')
  for (const name of ['parent0', 'parent1']) ip('link', 'set', name, 'up')
  // They need no rules of the host, their name service neither.
  const { engine, image } = await testEngine(t, { firewallBackend: 'none' })
  const cases = [
    { driver: 'macvlan', options: { parent: 'parent0' }, subnet: '10.81.0.0/24' },
    { driver: 'ipvlan', options: { parent: 'parent1' }, subnet: '10.82.0.0/24' },
    { driver: 'ipvlan', options: { parent: 'parent1', ipvlan_mode: 'l3' }, subnet: '10.83.0.0/24' },
  ]
  for (const { subnet, ...given } of cases) {
    const kind = `${given.driver} ${given.options.ipvlan_mode ?? ''}`
    const prefix = subnet.slice(0, subnet.lastIndexOf('.'))
    await using network = await engine.networks.create('linked', { ...given, pools: [{ subnet }] })
    await using one = await engine.run(image, ['sleep', '600'], { network: network.name, name: 'one' })
    const script = `nslookup -type=a one; ping -c 1 -W 10 ${prefix}.2; cat /proc/net/route`
    await using two = await engine.run(image, ['sh', '-c', script], { network: network.name })
    const [text, { exitCode }] = await Promise.all([collect(two.stdout), two.wait()])
    t.equal(exitCode, 0, kind)
    t.match(text, new RegExp(`Address: ${prefix.replaceAll('.', '\\.')}\\.2\\n[\\s\\S]*1 packets received`), kind)
    t.match(text, /^eth0\t00000000\t/m, `${kind}: a default route`)
    await two.close()
    await one.close()
  }
  t.notMatch(ip('-br', 'link'), /eth0|veth[0-9a-f]{7}/, 'nothing of them is left on the host')
})
