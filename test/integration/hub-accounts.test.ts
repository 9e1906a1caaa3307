// lanes: host
// Who may do what with the registry: accounts, tokens, policies, and where it may listen.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { serveRegistry } from '../../src/hub/index.js'
import { accounts, certificate, temporary, testHub } from '../fixtures/hub.js'
import { cli } from '../helpers/cli.js'

const basic = (login: string) => ({ Authorization: `Basic ${Buffer.from(login).toString('base64')}` })
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

interface TokenAnswer {
  token: string
  access_token: string
  expires_in: number
}

t.test('accounts and tokens', async (t) => {
  const htpasswd = await accounts(temporary(t), { alice: 'wonder', bob: 'builder' })
  const policy = join(temporary(t), 'policy.json')
  const rules = [
    { accounts: ['alice'], repositories: ['team/**'], actions: ['pull', 'push', 'delete'] },
    { accounts: ['*'], repositories: ['team/*'], actions: ['pull'] },
    { accounts: ['anonymous'], repositories: ['public/*'], actions: ['pull'] },
  ]
  writeFileSync(policy, JSON.stringify({ rules }))
  const alice = await testHub(t, { htpasswd, policy, login: 'alice:wonder' })
  const { server } = alice
  const call = (method: string, path: string, headers: Record<string, string> = {}) =>
    fetch(server.url + path, { method, headers })

  const asked = await call('GET', '/v2/')
  t.equal(asked.status, 401)
  const challenge = asked.headers.get('www-authenticate') as string
  t.match(challenge, /^Bearer realm="http:\/\/127\.0\.0\.1:\d+\/token",service="jubako-registry"$/)
  t.equal((await call('GET', '/v2/', basic('alice:wonder'))).status, 200)
  t.equal((await call('GET', '/healthz')).status, 200)
  t.equal((await call('GET', '/metrics')).status, 401)
  t.equal((await call('GET', '/metrics', basic('bob:builder'))).status, 200)

  // Each repository asks for what it needs.
  const refused = await call('POST', '/v2/team/app/blobs/uploads/')
  t.equal(refused.status, 401)
  t.match(refused.headers.get('www-authenticate'), /scope="repository:team\/app:pull,push"/)
  const tokenFor = async (scope: string, headers: Record<string, string> = {}) => {
    const response = await call('GET', `/token?service=jubako-registry&scope=${scope}`, headers)
    t.equal(response.status, 200)
    const answer = (await response.json()) as TokenAnswer
    t.equal(answer.token, answer.access_token)
    t.ok(answer.expires_in >= 60)
    return answer.token
  }
  const pushes = await tokenFor('repository:team/app:pull,push', basic('alice:wonder'))
  t.equal((await call('POST', '/v2/team/app/blobs/uploads/', bearer(pushes))).status, 202)
  t.equal((await call('POST', '/v2/team/other/blobs/uploads/', bearer(pushes))).status, 401, 'for its repository alone')
  t.equal((await call('GET', '/v2/', bearer(pushes))).status, 200)
  const config = await alice.blob('team/app', '{}')
  const image = await alice.manifest('team/app', 'v1', { config, layers: [] })
  t.equal(image.put.status, 201)
  t.equal((await alice.call('POST', '/v2/elsewhere/blobs/uploads/')).status, 403)

  // Bob may look, and no more.
  const bob = await tokenFor('repository:team/app:pull,push', basic('bob:builder'))
  t.equal((await call('GET', '/v2/team/app/manifests/v1', bearer(bob))).status, 200)
  const denied = await call('POST', '/v2/team/app/blobs/uploads/', bearer(bob))
  t.equal(denied.status, 401)
  t.strictSame(((await denied.json()) as { errors: { code: string }[] }).errors[0]!.code, 'DENIED')
  t.equal((await call('DELETE', '/v2/team/app/manifests/v1', basic('bob:builder'))).status, 403)
  t.equal((await call('GET', '/v2/team/deep/app/tags/list', basic('bob:builder'))).status, 403, '* is one component')

  // Who has no account.
  const nobody = await tokenFor('repository:team/app:pull repository:public/app:pull')
  t.equal((await call('GET', '/v2/team/app/manifests/v1', bearer(nobody))).status, 401)
  t.equal((await call('GET', '/v2/public/app/tags/list', bearer(nobody))).status, 404, 'may ask, and there is nothing')
  t.strictSame(await (await call('GET', '/v2/_catalog', basic('bob:builder'))).json(), { repositories: ['team/app'] })
  t.equal((await call('GET', '/v2/_catalog')).status, 401)

  // Tokens that are not ours, or were changed.
  const [head = '', body = '', mark = ''] = pushes.split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object
  const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'bob' })).toString('base64url')
  for (const bad of [
    `${head}.${forged}.${mark}`,
    `${head}.${body}.`,
    `${head}.${body}`,
    'x',
    `${head}.${body}.${mark}x`,
  ])
    t.equal((await call('GET', '/v2/', bearer(bad))).status, 401)

  // A form, as the specification of tokens has it.
  const form = await fetch(`${server.url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'password',
      username: 'alice',
      password: 'wonder',
      scope: 'repository:team/app:delete',
    }),
  })
  const { token } = (await form.json()) as TokenAnswer
  t.equal((await call('DELETE', '/v2/team/app/manifests/v1', bearer(token))).status, 202)

  // Files are read again; one that is broken changes nothing.
  writeFileSync(policy, JSON.stringify({ anonymous: ['pull'], rules }))
  t.strictSame(await (await call('GET', '/v2/_catalog')).json(), { repositories: ['team/app'] })
  writeFileSync(policy, '{')
  t.strictSame(await (await call('GET', '/v2/_catalog')).json(), { repositories: ['team/app'] })
  appendFileSync(htpasswd, readFileSync(htpasswd, 'utf8').split('\n')[0]!.replace('alice', 'carol'))
  t.equal((await call('GET', '/v2/', basic('carol:wonder'))).status, 200)
  writeFileSync(htpasswd, '')
  t.equal((await call('GET', '/v2/', bearer(pushes))).status, 401, 'a token of an account that is gone')
})

t.test('failed logins are slowed down', async (t) => {
  const htpasswd = await accounts(temporary(t), { alice: 'wonder' })
  const { call, server } = await testHub(t, { htpasswd })
  const attempt = async (login: string) => {
    const started = performance.now()
    const { status } = await call('GET', '/v2/', undefined, basic(login))
    return { status, ms: performance.now() - started }
  }
  const times: number[] = []
  for (let i = 0; i < 4; i++) {
    const { status, ms } = await attempt(i % 2 === 0 ? 'alice:wrong' : 'nobody:wrong')
    t.equal(status, 401)
    times.push(ms)
  }
  t.ok(times[3]! >= 950, `the fourth took ${times[3]} ms`)
  t.equal((await attempt('alice:wonder')).status, 200, 'the right one gets in all the same')
  t.ok((await attempt('alice:wonder')).status === 200)
  const burst = await Promise.all(Array.from({ length: 60 }, () => attempt('alice:guess')))
  t.ok(
    burst.some(({ status }) => status === 429),
    'many at once are turned away',
  )
  const text = await (await fetch(`${server.url}/metrics`, { headers: basic('alice:wonder') })).text()
  t.match(text, /jubako_registry_failed_logins_total ([4-9]|\d\d)/)
})

t.test('behind a proxy that ends https', async (t) => {
  const htpasswd = await accounts(temporary(t), { alice: 'wonder' })
  const forwarded = (address: string) => ({
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'hub.example:8443',
    'X-Forwarded-For': `6.6.6.6, ${address}`,
  })
  const remotes: string[] = []
  const trusting = await testHub(t, { htpasswd, behindProxy: true, onAccess: ({ remote }) => remotes.push(remote) })
  const asked = await trusting.call('GET', '/v2/', undefined, forwarded('10.0.0.1'))
  t.match(asked.headers.get('www-authenticate'), /^Bearer realm="https:\/\/hub\.example:8443\/token"/)
  const page = await trusting.call('GET', '/', undefined, { ...forwarded('10.0.0.1'), ...basic('alice:wonder') })
  t.match(await page.text(), /docker push hub\.example:8443\/my-image/)
  const text = await (await trusting.call('GET', '/healthz', undefined, { 'X-Forwarded-Host': '<x>' })).text()
  t.equal(text, '{"status":"ok"}')
  t.strictSame(remotes.slice(0, 2), ['10.0.0.1', '10.0.0.1'], 'what the nearest proxy says')

  // One client that guesses does not slow the others down.
  const login = async (name: string, address: string) => {
    const started = performance.now()
    await trusting.call('GET', '/v2/', undefined, { ...forwarded(address), ...basic(`${name}:wrong`) })
    return performance.now() - started
  }
  for (let i = 0; i < 3; i++) await login(`nobody${i}`, '10.0.0.1')
  const [same, other] = [await login('nobody4', '10.0.0.1'), await login('nobody5', '10.0.0.2')]
  t.ok(same > 950, `${same} ms`)
  t.ok(other < same, `${other} ms`)

  const doubting = await testHub(t, { htpasswd })
  const there = await doubting.call('GET', '/v2/', undefined, forwarded('10.0.0.1'))
  t.match(
    there.headers.get('www-authenticate'),
    /^Bearer realm="http:\/\/127\.0\.0\.1:\d+\/token"/,
    'unless it is asked to',
  )
})

t.test('where it may listen', async (t) => {
  const directory = temporary(t)
  const tls = await certificate(directory)
  const htpasswd = await accounts(directory, { alice: 'wonder' })
  const at = { host: '0.0.0.0', port: 0 }
  for (const [options, message] of [
    [{}, /https .* and accounts/],
    [{ tls }, /without accounts/],
    [{ htpasswd }, /without https/],
  ] as const) {
    await t.rejects(serveRegistry({ root: join(directory, 'r'), ...at, ...options }), {
      code: 'ERR_JUBAKO_INVALID_ARGUMENT',
      message,
    })
  }
  await (await serveRegistry({ root: join(directory, 'r'), ...at, tls, htpasswd })).close()
  await (await serveRegistry({ root: join(directory, 'r'), ...at, insecure: true })).close()
  const one = await serveRegistry({ root: join(directory, 'r'), port: 0 })
  await t.rejects(serveRegistry({ root: join(directory, 'r'), port: 0 }), { code: 'ERR_JUBAKO_CONFLICT' })
  await t.rejects(serveRegistry({ root: join(directory, 'q'), port: one.port }), { code: 'ERR_JUBAKO_CONFLICT' })
  await one.close()
  writeFileSync(join(directory, 'bad'), 'alice:plain\n')
  for (const bad of [{ htpasswd: join(directory, 'bad') }, { policy: { rules: [{}] } as never }, { proxy: 'ftp://x' }])
    await t.rejects(serveRegistry({ root: join(directory, 'r'), port: 0, ...bad }), {
      code: 'ERR_JUBAKO_INVALID_ARGUMENT',
    })
})

t.test('the command line', async (t) => {
  const root = temporary(t)
  const jubako = cli({ root: join(root, 'root'), runRoot: join(root, 'run') })
  const file = join(root, 'users/htpasswd')
  const user = (...words: string[]) => jubako.run(['registry', 'user', ...words])
  const add = (name: string, input: string) =>
    jubako.run(['registry', 'user', 'add', '--htpasswd', file, '--password-stdin', name], { input })
  t.match(await add('alice', 'wonder\n'), { code: 0, stdout: 'alice\n' })
  t.match(await add('bob', 'builder'), { code: 0 })
  t.match(await add('no:body', 'x'), { code: 1, stderr: /invalid account name/ })
  t.match(await add('long', 'x'.repeat(73)), { code: 1, stderr: /1 to 72 bytes/ })
  t.match(await user('add', '--htpasswd', file, 'carol'), { code: 1, stderr: /--password-stdin/ })
  t.match(await user('ls', '--htpasswd', file), { code: 0, stdout: 'alice\nbob\n' })
  t.match(await user('rm', '--htpasswd', file, 'bob', 'nobody'), {
    code: 1,
    stdout: 'bob\n',
    stderr: /No such account: nobody/,
  })
  t.notMatch(readFileSync(file, 'utf8'), /wonder|bob/)

  const refused = await jubako.run(['registry', 'serve', '--addr', '0.0.0.0:0', '--root', join(root, 'own')])
  t.match(refused, { code: 1, stderr: /without https .* and accounts/ })
  t.match(await jubako.run(['registry', 'serve', '--addr', 'nowhere']), { code: 1, stderr: /invalid address/ })
  const serving = jubako.start([
    'registry',
    'serve',
    '--addr',
    '127.0.0.1:0',
    '--root',
    join(root, 'own'),
    '--htpasswd',
    file,
  ])
  t.teardown(() => serving.kill('SIGKILL'))
  const lines: string[] = []
  const line = (pattern: RegExp) =>
    new Promise<string>((done) => {
      const look = () => {
        const found = lines.find((it) => pattern.test(it))
        if (found !== undefined) done(found)
      }
      serving.stdout.on('data', look)
      look()
    })
  serving.stdout.on('data', (chunk: Buffer) => lines.push(...chunk.toString().split('\n')))
  const url = (await line(/^listening on /)).slice('listening on '.length)
  t.equal((await fetch(`${url}/v2/`, { headers: basic('alice:wonder') })).status, 200)
  const entry = JSON.parse(await line(/^\{/)) as object
  t.match(entry, { method: 'GET', path: '/v2/', status: 200, account: 'alice', remote: '127.0.0.1', duration: Number })
  serving.kill('SIGTERM')
  t.equal(await new Promise((done) => serving.on('close', done)), 0)
})
