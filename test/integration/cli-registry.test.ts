// lanes: host
// The command line with registries: login and logout as docker keeps them, push, pull, and where secrets must not be.
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { layeredImage } from '../fixtures/images.js'
import { REGISTRY_LOGIN, startRegistry } from '../fixtures/registry.js'
import { startScriptedRegistry } from '../fixtures/scripted-registry.js'
import { cli, JUBAKO, result } from '../helpers/cli.js'
import { temporaryDirectory } from '../helpers/image-store.js'
import { makeImage } from '../helpers/oci-image.js'
import { TOOL_ENV } from '../helpers/processes.js'

const { username, password } = REGISTRY_LOGIN
const image = makeImage({ layers: [[{ name: 'a', data: 'b' }]] })

function place(t: Test, more: Record<string, string> = {}) {
  const base = temporaryDirectory(t)
  const docker = join(base, 'docker')
  const env = { DOCKER_CONFIG: docker, DOCKER_AUTH_CONFIG: '', JUBAKO_CONFIG: '', ...more }
  const { run } = cli({ root: join(base, 'root'), runRoot: join(base, 'run') })
  return {
    base,
    config: join(docker, 'config.json'),
    docker,
    jubako: (arguments_: string[], input = '', extra: Record<string, string> = {}) =>
      run(arguments_, { input, env: { ...env, ...extra } }),
  }
}

/** A credential helper that keeps what it is given in a file, and writes down its arguments. */
function makeHelper(directory: string) {
  const script = `#!/bin/sh
echo "$@" >>${directory}/arguments
case $1 in
store) cat >${directory}/kept ;;
get) read server; if [ -s ${directory}/kept ]; then cat ${directory}/kept; else echo "credentials not found in native keychain"; exit 1; fi ;;
erase) cat >/dev/null; rm -f ${directory}/kept ;;
esac
`
  writeFileSync(join(directory, 'docker-credential-test'), script)
  chmodSync(join(directory, 'docker-credential-test'), 0o755)
  return { PATH: `${directory}:${TOOL_ENV.PATH}` }
}

t.test('login, push, pull and logout', async (t) => {
  const registry = await startRegistry({ password: true })
  t.teardown(() => registry.close())
  const { jubako, config, docker } = place(t)
  const source = await registry.push(await layeredImage(1), 'team/tool')
  const refused = await jubako(['pull', source])
  t.equal(refused.code, 1)
  t.match(refused.stderr, /pull access denied for .*team\/tool/)

  mkdirSync(docker)
  writeFileSync(`${config}.real`, '{"psFormat":"x","auths":{"https://other.example/v1/":{"auth":"YTpi"}}}')
  symlinkSync(`${config}.real`, config)
  const wrong = await jubako(['login', '-u', username, '--password-stdin', registry.address], 'wr0ng\n')
  t.equal(wrong.code, 1)
  t.match(wrong.stderr, new RegExp(`login attempt to ${registry.address} failed`))
  t.notMatch(wrong.stderr, /wr0ng/)
  const debug = await jubako(['-D', 'login', '-u', username, '--password-stdin', registry.address], 'wr0ng\n')
  t.notMatch(debug.stderr, /wr0ng|d3Ib25n/, 'nor in what --debug tells')

  const login = await jubako(['login', '-u', username, '--password-stdin', registry.address], `${password}\n`)
  t.match(login, { code: 0, stdout: 'Login Succeeded\n', stderr: /stored unencrypted in .*config\.json/ })
  t.strictSame(JSON.parse(readFileSync(`${config}.real`, 'utf8')), {
    psFormat: 'x',
    auths: {
      'https://other.example/v1/': { auth: 'YTpi' },
      [registry.address]: { auth: Buffer.from(`${username}:${password}`).toString('base64') },
    },
  })
  t.equal(statSync(config).mode & 0o777, 0o600)
  t.match(await jubako(['login', registry.address]), { code: 0, stderr: /existing credentials/ })

  t.match(await jubako(['pull', '-q', source]), { code: 0, stdout: `${source}\n` })
  const name = `${registry.address}/team/other`
  t.equal((await jubako(['tag', source, name])).code, 0)
  const pushed = await jubako(['push', name])
  t.match(pushed.stdout, /^Using default tag: latest\nThe push refers to repository \[.*\]\n\w+: Preparing\n/)
  t.match(pushed.stdout, /: Mounted from team\/tool\nlatest: digest: sha256:\w+ size: \d+\n$/)
  t.match(await jubako(['push', '-q', name]), { code: 0, stdout: `${name}:latest\n` })
  t.match(await jubako(['push', '-q', '-a', name]), { code: 0, stdout: `${name}\n` })
  const lines = (await jubako(['push', '--json', `${name}:latest`])).stdout.trim().split('\n')
  t.ok(lines.map((line) => JSON.parse(line)).some(({ status }) => status === 'Layer already exists'))
  t.match(await jubako(['pull', '-a', '-q', name]), { code: 0, stdout: `${name}\n` })
  t.match(await jubako(['pull', '-a', `${name}:1`]), { code: 1, stderr: /tag can't be used with --all-tags/ })

  const logout = await jubako(['logout', registry.address])
  t.match(logout, { code: 0, stdout: `Removing login credentials for ${registry.address}\n` })
  t.equal((await jubako(['pull', source])).code, 1)
  t.strictSame(Object.keys(JSON.parse(readFileSync(config, 'utf8')).auths), ['https://other.example/v1/'])
  const inline = JSON.stringify({ auths: { [registry.address]: { username, password } } })
  t.equal((await jubako(['pull', source], '', { DOCKER_AUTH_CONFIG: inline })).code, 0, 'from the environment')
})

t.test('what login says of its flags', async (t) => {
  const { jubako } = place(t)
  const cases: [string[], RegExp][] = [
    [['--password-stdin'], /the --password-stdin option requires --username to be set/],
    [['-p', 'x', '--password-stdin'], /cannot specify both --password and --password-stdin/],
    [['-u', 'a'], /Cannot perform an interactive login from a non TTY device/],
    [[], /Cannot perform an interactive login from a non TTY device/],
  ]
  for (const [flags, expected] of cases) {
    t.match(await jubako(['login', ...flags, '127.0.0.1:1']), { code: 1, stderr: expected }, flags.join(' '))
  }
  t.match(await jubako(['logout']), { stdout: 'Removing login credentials for https://index.docker.io/v1/\n' })
})

t.test('an identity token and a credential helper', async (t) => {
  const grants: string[] = []
  const registry = await startScriptedRegistry(t, (request, response, path) => {
    if (path.startsWith('/token')) {
      if (request.method === 'POST') {
        let form = ''
        request.on('data', (chunk) => {
          form += chunk
        })
        request.on('end', () => {
          grants.push(new URLSearchParams(form).get('refresh_token') ?? '')
          response.writeHead(200).end('{"access_token":"abc"}')
        })
        return true
      }
      const asked = new URL(path, 'http://x').searchParams
      const basic = request.headers.authorization === `Basic ${Buffer.from('me:s3cret').toString('base64')}`
      grants.push(`${asked.get('account')} ${asked.get('offline_token')}`)
      response.writeHead(basic ? 200 : 401).end('{"token":"abc","refresh_token":"r3fresh"}')
      return true
    }
    if (request.headers.authorization !== 'Bearer abc') {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="s"` })
      response.end()
      return true
    }
    if (path !== '/v2/') return false
    response.end('{}')
    return true
  })
  registry.add('team/tool', '1', image)
  const { base, jubako, docker, config } = place(t)
  const env = makeHelper(base)
  mkdirSync(docker)
  writeFileSync(config, JSON.stringify({ credHelpers: { [registry.address]: 'test' } }))
  const login = await jubako(['login', '-u', 'me', '--password-stdin', registry.address], 's3cret', env)
  t.match(login, { code: 0, stdout: 'Login Succeeded\n', stderr: '' })
  const kept = JSON.parse(readFileSync(join(base, 'kept'), 'utf8'))
  t.strictSame(kept, { ServerURL: registry.address, Username: '<token>', Secret: 'r3fresh' })
  t.notMatch(readFileSync(config, 'utf8'), /r3fresh|s3cret/)
  t.equal((await jubako(['pull', `${registry.address}/team/tool:1`], '', env)).code, 0)
  t.strictSame(grants, ['me true', 'r3fresh'])
  t.equal((await jubako(['logout', registry.address], '', env)).code, 0)
  t.equal((await jubako(['pull', `${registry.address}/team/tool:1`], '', env)).code, 1, 'nothing is kept any more')
  t.notMatch(readFileSync(join(base, 'arguments'), 'utf8'), /r3fresh|s3cret/, 'no secret among arguments')
  const missing = await jubako(['pull', `${registry.address}/team/tool:1`])
  t.match(missing, { code: 1, stderr: /cannot run docker-credential-test: ENOENT\nhint: install/ })
})

t.test('no secret among the arguments of any process', async (t) => {
  let seen = ''
  const registry = await startScriptedRegistry(t, (request, response) => {
    for (const { pid } of [{ pid: 'self' }, { pid: child?.pid ?? 'self' }]) {
      seen += readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    }
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
    } else response.end('{}')
    return true
  })
  const { docker } = place(t)
  const { spawn } = await import('node:child_process')
  const arguments_ = ['login', '-u', 'me', '--password-stdin', registry.address]
  const child = spawn(JUBAKO, arguments_, { env: { ...TOOL_ENV, DOCKER_CONFIG: docker } })
  child.stdin.end('s3cret')
  t.match(await result(child), { code: 0 })
  t.match(seen, /password-stdin/)
  t.notMatch(seen, /s3cret/)
})

t.test('the configuration file', async (t) => {
  const [mirror, registry] = [await startScriptedRegistry(t), await startScriptedRegistry(t)]
  mirror.add('team/tool', '1', image)
  const { base, jubako } = place(t)
  const file = join(base, 'jubako.json')
  const env = { JUBAKO_CONFIG: file }
  const name = `${registry.address}/team/tool:1`
  writeFileSync(file, JSON.stringify({ 'registry-mirrors': { [registry.address]: [`http://${mirror.address}`] } }))
  t.equal((await jubako(['pull', name], '', env)).code, 0)
  t.equal(registry.asked.length, 0, 'the mirror had everything')
  for (const [content, expected] of [
    ['{', /jubako\.json: /],
    ['[]', /not a JSON object/],
    ['{"insecure-registries":"a"}', /insecure-registries is not a list of registries/],
    ['{"registry-mirrors":{"docker.io":1}}', /registry-mirrors is not/],
  ] as const) {
    writeFileSync(file, content)
    t.match(await jubako(['pull', 'docker.io/a/b'], '', env), { code: 1, stderr: expected })
  }
  t.match(await jubako(['pull', 'a'], '', { JUBAKO_CONFIG: `${file}.no` }), { code: 1, stderr: /jubako\.json\.no/ })
})
