// lanes: host vm
import '../helpers/own-network.js'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { collect, testEngine } from '../helpers/engine.js'

// The kernel's part: bridges, rules, published ports and the name service, here and on a stock kernel.

function get(port: number): Promise<string> {
  return new Promise((settle, fail) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write('GET /hostname HTTP/1.0\r\n\r\n'))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', fail)
    socket.on('close', () => settle(text))
  })
}

async function eventually(act: () => Promise<string>): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await act()
    } catch (error) {
      if (attempt > 100) throw error
      await sleep(100)
    }
  }
}

t.test('a server, its published port, its name', async (t) => {
  const { engine, image } = await testEngine(t)
  {
    await using network = await engine.networks.create('basic', { ipv6: true })
    await using web = await engine.run(image, ['httpd', '-f', '-p', '80', '-h', '/etc'], {
      network: 'basic',
      name: 'web',
      hostname: 'webhost',
      ports: [{ containerPort: 80, hostPort: 8080 }],
    })
    t.match(await eventually(() => get(8080)), /200 OK[\s\S]*webhost/)
    await using asker = await engine.run(image, ['sh', '-c', 'nslookup web && ping -c1 -W5 web'], {
      network: network.name,
    })
    const [text, { exitCode }] = await Promise.all([collect(asker.stdout), asker.wait()])
    t.match(text, /Name:\s+web\nAddress: 172\.\d+\.0\.2[\s\S]*Address: fd[0-9a-f:]+2/)
    t.match(text, /1 packets received/)
    t.equal(exitCode, 0)
    await using plain = await engine.run(image, ['ping', '-c1', '-W5', '172.17.0.1'], { network: 'bridge' })
    t.equal((await plain.wait()).exitCode, 0, 'the default network')
    await web.close()
    await asker.close()
    await plain.close()
    await t.rejects(get(8080), /ECONNREFUSED/)
  }
  t.strictSame(
    (await engine.networks.list()).map(({ name }) => name),
    ['bridge', 'host', 'none'],
  )
})
