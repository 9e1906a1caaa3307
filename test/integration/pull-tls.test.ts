// lanes: host
// https with certificates of one's own, through a proxy that leads every name to a loopback port.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { listen, startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { cli } from '../helpers/cli.js'
import { temporaryDirectory, testStore } from '../helpers/image-store.js'
import { makeImage } from '../helpers/oci-image.js'
import { tool } from '../helpers/processes.js'

const image = makeImage({ layers: [[{ name: 'a', data: 'b' }]] })
const HOST = 'registry.example:8443'

/** A certificate authority, and a certificate and key signed by it. */
async function makeAuthority(directory: string) {
  const run = (...words: string[]) => tool('openssl', words, { cwd: directory })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  await run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=authority')
  for (const name of ['registry.example', 'client']) {
    const extension = ['-addext', `subjectAltName=DNS:${name}`]
    const subject = ['-subj', `/CN=${name}`, ...extension, '-CA', 'ca.crt', '-CAkey', 'ca.key']
    await run('req', '-x509', ...key, '-keyout', `${name}.key`, '-out', `${name}.crt`, ...subject)
  }
  return (name: string) => readFileSync(join(directory, name))
}

/** @returns its URL and what it was asked to connect to */
async function startProxy(t: Test, target: string) {
  const asked: string[] = []
  const server = createServer().on('connect', (request, socket) => {
    asked.push(request.url ?? '')
    const upstream = connect(Number(target.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
    }
  })
  const address = await listen(t, server)
  return { url: `http://${address}`, asked }
}

t.test('an authority and a client certificate of one registry', async (t) => {
  const authority = temporaryDirectory(t)
  const read = await makeAuthority(authority)
  const registry = await startScriptedRegistry(t, undefined, {
    key: read('registry.example.key'),
    cert: read('registry.example.crt'),
    ca: read('ca.crt'),
    requestCert: true,
    rejectUnauthorized: true,
  })
  registry.add('team/tool', '1', image)
  const proxy = await startProxy(t, registry.address)
  const name = `${HOST}/team/tool:1`
  const options = { proxy: { https: proxy.url }, retry: { attempts: 1 } }

  const stranger = testStore(t, { registry: options })
  await t.rejects(stranger.store.pull(name), {
    code: 'ERR_JUBAKO_NETWORK',
    message: /registry\.example:8443.*certificate/,
    hint: /certificates folder of registry\.example:8443/,
  })
  t.equal(registry.asked.length, 0)

  const certificates = temporaryDirectory(t)
  const put = (host: string, file: string, from: string) => {
    mkdirSync(join(certificates, host), { recursive: true })
    writeFileSync(join(certificates, host, file), read(from))
  }
  put(HOST, 'ca.crt', 'ca.crt')
  const without = testStore(t, { registry: { ...options, certificates } })
  await t.rejects(without.store.pull(name), { code: 'ERR_JUBAKO_NETWORK' }, 'the registry wants a client certificate')

  put(HOST, 'client.cert', 'client.crt')
  put(HOST, 'client.key', 'client.key')
  const { store } = testStore(t, { registry: { ...options, certificates } })
  t.equal((await store.pull(name)).imageId, image.imageId)
  t.ok(proxy.asked.length > 0 && proxy.asked.every((host) => host === HOST), 'through the proxy')

  rmSync(join(certificates, HOST, 'ca.crt'))
  const authorities = [join(authority, 'ca.crt'), '/nonexistent.crt']
  const trusting = testStore(t, { registry: { ...options, certificates, authorities } })
  t.equal((await trusting.store.pull(name)).imageId, image.imageId, 'an authority for every registry')

  const config = join(authority, 'config.json')
  writeFileSync(config, JSON.stringify({ certificates }))
  const places = { root: temporaryDirectory(t), runRoot: temporaryDirectory(t) }
  const env = { JUBAKO_CONFIG: config, https_proxy: proxy.url, HTTPS_PROXY: '', no_proxy: '', NO_PROXY: '' }
  const pull = (NODE_EXTRA_CA_CERTS: string) =>
    cli(places).run(['pull', '-q', name], { env: { ...env, NODE_EXTRA_CA_CERTS } })
  t.match(await pull(''), { code: 1, stderr: /certificate/ })
  t.match(await pull(join(authority, 'ca.crt')), { code: 0, stdout: `${name}\n` }, 'NODE_EXTRA_CA_CERTS is heard')
})

t.test('a registry that is named insecure may show any certificate, others not', async (t) => {
  const read = await makeAuthority(temporaryDirectory(t))
  const tls = { key: read('client.key'), cert: read('client.crt') }
  const registry = await startScriptedRegistry(t, undefined, tls)
  registry.add('tool', '1', image)
  const proxy = await startProxy(t, registry.address)
  const options = { proxy: { https: proxy.url }, retry: { attempts: 1 } }
  const { store } = testStore(t, { registry: { ...options, insecure: ['registry.example'] } })
  t.equal((await store.pull(`${HOST}/tool:1`)).imageId, image.imageId)
  await t.rejects(store.pull('other.example/tool:1'), { code: 'ERR_JUBAKO_NETWORK', message: /certificate/ })
})
