// lanes: host
/** Where files of a build come from: archives, addresses, git, other folders. */
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { testBuilder } from '../helpers/build.js'
import { cli } from '../helpers/cli.js'
import { spawnBound, tool } from '../helpers/processes.js'

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'jubako-sources-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A web server on a loopback port. */
async function serve(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** git's own server for http, as a CGI program. */
function gitOverHttp(repositories: string) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url!, 'http://x')
    const environment = {
      GIT_PROJECT_ROOT: repositories,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method!,
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_ADDR: '127.0.0.1',
      ...(request.headers['content-encoding'] && { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
    }
    const words = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
    const child = spawnBound('env', [...words, 'git', 'http-backend'])
    request.pipe(child.stdin)
    let whole = Buffer.alloc(0)
    child.stdout.on('data', (chunk: Buffer) => {
      whole = Buffer.concat([whole, chunk])
    })
    child.on('close', () => {
      const end = whole.indexOf('\r\n\r\n')
      const headers = whole.toString('latin1', 0, end).split('\r\n')
      let status = 200
      for (const header of headers) {
        const [name = '', value = ''] = header.split(/: ?(.*)/s)
        if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10)
        else response.setHeader(name, value)
      }
      response.writeHead(status).end(whole.subarray(end + 4))
    })
  }
}

/** A repository with two branches, a tag and a directory with a Dockerfile of its own. */
async function repository(t: Test): Promise<{ place: string; first: string; second: string }> {
  const place = folder(t)
  const work = join(place, 'work')
  mkdirSync(join(work, 'sub'), { recursive: true })
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'init.defaultBranch=main']
  const git = (...args: string[]) => tool('git', ['-C', work, ...identity, ...args])
  writeFileSync(join(work, 'Dockerfile'), 'FROM base\nCOPY file /file\n')
  writeFileSync(join(work, 'file'), 'first\n')
  writeFileSync(join(work, 'sub/Dockerfile'), 'FROM base\nCOPY inside /inside\n')
  writeFileSync(join(work, 'sub/inside'), 'sub\n')
  chmodSync(join(work, 'sub/inside'), 0o755)
  await git('init', '-q')
  await git('add', '.')
  await git('commit', '-qm', 'one')
  await git('tag', 'v1')
  const first = (await git('rev-parse', 'HEAD')).trim()
  await git('checkout', '-qb', 'other')
  writeFileSync(join(work, 'file'), 'second\n')
  await git('commit', '-qam', 'two')
  const second = (await git('rev-parse', 'HEAD')).trim()
  await git('checkout', '-q', 'main')
  await tool('git', ['clone', '-q', '--bare', work, join(place, 'repo.git')])
  await tool('git', ['-C', join(place, 'repo.git'), 'config', 'uploadpack.allowAnySHA1InWant', 'true'])
  return { place, first, second }
}

t.test('git as a context and in ADD', async (t) => {
  const { place, first, second } = await repository(t)
  const base = await serve(t, gitOverHttp(place))
  const url = `${base}/repo.git`
  const { engine, output, build, failure } = await testBuilder(t)
  const contents = async (context: string, path = '/file') => {
    await engine.build({ context, tags: ['from-git'] })
    return output('from-git', 'cat', path)
  }
  t.equal(await contents(url), 'first\n')
  t.equal(await contents(`${url}#other`), 'second\n')
  t.equal(await contents(`${url}#v1`), 'first\n')
  t.equal(await contents(`${url}#${second}`), 'second\n')
  t.equal(await contents(`${url}#main:sub`, '/inside'), 'sub\n')
  t.equal(await contents(`${url}?branch=other`), 'second\n')
  t.equal(await contents(`${url}?tag=v1&subdir=sub`, '/inside'), 'sub\n')

  await build(`FROM base\nADD ${url}#other /src`, { tags: ['added'] })
  t.equal(await output('added', 'sh', '-c', 'cat /src/file; ls -A /src'), 'second\nDockerfile\nfile\nsub\n')
  t.match(await output('added', 'ls', '-ln', '/src/sub/inside'), /-rwxr-xr-x +1 0 +0 /)
  const again = await build(`FROM base\nADD ${url}#other /src`)
  t.equal(again.cachedSteps, 1)
  await build(`FROM base\nADD --keep-git-dir=true ${url} /src/`, { tags: ['kept'] })
  t.match(await output('kept', 'ls', '-A', '/src'), /\.git\n/)
  await build(`FROM base\nADD --checksum=${first} ${url}#v1 /src`)
  const wrong = await failure(`FROM base\nADD --checksum=${second} ${url}#v1 /src`)
  t.match(wrong.message, new RegExp(`expected checksum to match ${second}, got ${first}`))
  t.match((await failure(`FROM base\nADD ${url}#nowhere /src`)).message, /git.*nowhere/)
  t.match((await failure(`FROM base\nADD ${base}/missing.git /src`)).message, /git/)
  await engine.build({ context: `${url}?checksum=${second}#other` })
  t.match(
    (await failure('FROM base', { context: `${url}?checksum=${second}#v1` })).message,
    /expected checksum to match/,
  )
  for (const bad of ['#--upload-pack=touch', '#main:../..', '#a..b']) {
    t.match((await failure(`FROM base\nADD ${url}${bad} /src`)).message, /invalid/, bad)
  }
  t.match(await failure('FROM base\nRUN true', { context: `${url}#--upload-pack=x` }), { message: /invalid git ref/ })
})

t.test('submodules of a repository', async (t) => {
  const { place } = await repository(t)
  const base = await serve(t, gitOverHttp(place))
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org']
  const whole = join(place, 'whole')
  await tool('git', ['-C', place, 'init', '-q', '-b', 'main', 'whole'])
  await tool('git', ['-C', whole, 'submodule', '--quiet', 'add', `${base}/repo.git`, 'part'])
  await tool('git', ['-C', whole, ...identity, 'commit', '-qm', 'with a part'])
  await tool('git', ['clone', '-q', '--bare', whole, join(place, 'whole.git')])
  const { build, output } = await testBuilder(t)
  await build(`FROM base\nADD ${base}/whole.git /whole\nADD ${base}/whole.git?submodules=false /bare`, {
    tags: ['parts'],
  })
  t.equal(
    await output('parts', 'sh', '-c', 'ls -A /whole/part /bare/part; cat /whole/part/file'),
    '/bare/part:\n\n/whole/part:\n.git\nDockerfile\nfile\nsub\nfirst\n',
  )
})

t.test('files and archives of the web', async (t) => {
  const place = folder(t)
  mkdirSync(join(place, 'tree'))
  writeFileSync(join(place, 'tree/inside'), 'in the archive\n')
  await tool('tar', ['-C', join(place, 'tree'), '-czf', join(place, 'a.tar.gz'), 'inside'])
  const archive = readFileSync(join(place, 'a.tar.gz'))
  let changed = ''
  let stalled: (() => void) | undefined
  const base = await serve(t, (request, response) => {
    const { pathname } = new URL(request.url!, 'http://x')
    if (pathname === '/file')
      return response.setHeader('Last-Modified', 'Sat, 01 Jan 2022 00:00:00 GMT').end(`file${changed}`)
    if (pathname === '/moved') return response.writeHead(302, { Location: '/file' }).end()
    if (pathname === '/a.tar.gz') return response.end(archive)
    if (pathname === '/Dockerfile') return response.end('FROM base\nRUN echo remote > /remote\n')
    if (pathname === '/context.tar.gz') return response.end(context)
    if (pathname === '/cut') {
      response.writeHead(200, { 'Content-Length': '100' }).write('half')
      return setTimeout(() => response.destroy(), 50)
    }
    if (pathname === '/stall') {
      response.writeHead(200, { 'Content-Length': '100' }).write('half')
      return stalled?.()
    }
    return response.writeHead(404).end('no')
  })
  writeFileSync(join(place, 'tree/Dockerfile'), 'FROM base\nCOPY inside /x\n')
  await tool('tar', ['-C', join(place, 'tree'), '-czf', join(place, 'context.tgz'), 'inside', 'Dockerfile'])
  const context = readFileSync(join(place, 'context.tgz'))
  const { engine, build, failure, output } = await testBuilder(t)

  const text = `FROM base\nADD ${base}/file /got\nADD ${base}/moved /dir/\nADD ${base}/a.tar.gz /raw/`
  await build(text, { tags: ['web'] })
  t.equal(await output('web', 'sh', '-c', 'cat /got /dir/moved; ls /raw'), 'filefilea.tar.gz\n')
  t.match(await output('web', 'ls', '-ln', '--full-time', '/got'), /-rw------- +1 0 +0 +4 2022-01-01 00:00:00/)
  t.equal((await build(text)).cachedSteps, 3)
  changed = ' anew'
  t.equal((await build(text)).cachedSteps, 0)
  await build(`FROM base\nADD --unpack ${base}/a.tar.gz /un/`, { tags: ['unpacked'] })
  t.equal(await output('unpacked', 'cat', '/un/inside'), 'in the archive\n')
  const digest = createHash('sha256').update('file anew').digest('hex')
  await build(`FROM base\nADD --checksum=sha256:${digest} --chmod=644 --chown=5:6 ${base}/file /got`, { tags: ['sum'] })
  t.match(await output('sum', 'ls', '-ln', '/got'), /-rw-r--r-- +1 5 +6 /)
  const zero = '0'.repeat(64)
  const other = await failure(`FROM base\nADD --checksum=sha256:${zero} ${base}/file /got`)
  t.match(other, { message: /digest mismatch .*expected sha256:0+, got/, location: { line: 2 } })
  t.match((await failure(`FROM base\nADD ${base}/nothing /got`)).message, /invalid response status 404/)
  t.match((await failure(`FROM base\nADD ${base}/cut /got`)).message, /failed to load/)
  t.match((await failure(`FROM base\nCOPY ${base}/file /got`)).message, /source can't be a URL for COPY/)

  await engine.build({ context: `${base}/Dockerfile`, tags: ['remote'] })
  t.equal(await output('remote', 'cat', '/remote'), 'remote\n')
  await engine.build({ context: `${base}/context.tar.gz`, tags: ['packed'] })
  t.equal(await output('packed', 'cat', '/x'), 'in the archive\n')
  const stop = new AbortController()
  stalled = () => stop.abort()
  const stopped = await failure(`FROM base\nADD ${base}/stall /got`, { signal: stop.signal })
  t.match(stopped, { code: 'ERR_JUBAKO_ABORTED' })
})

t.test('archives in whatever they are compressed', async (t) => {
  const place = folder(t)
  mkdirSync(join(place, 'tree/d'), { recursive: true })
  writeFileSync(join(place, 'tree/d/f'), 'packed\n')
  const { build, output, engine, failure } = await testBuilder(t)
  const files: Record<string, Buffer> = {}
  for (const [ending, flag] of Object.entries({
    tar: '-c',
    'tar.gz': '-cz',
    'tar.bz2': '-cj',
    'tar.xz': '-cJ',
    'tar.zst': '--zstd -c',
  })) {
    const path = join(place, ending)
    await tool('tar', ['-C', join(place, 'tree'), '--owner=3', '--group=4', ...flag.split(' '), '-f', path, 'd'])
    files[`a.${ending}`] = readFileSync(path)
  }
  writeFileSync(join(place, 'text'), 'only text\n')
  await tool('sh', ['-c', `cd ${place} && gzip -k text && xz -k text && bzip2 -k text`])
  for (const ending of ['gz', 'xz', 'bz2']) files[`text.${ending}`] = readFileSync(join(place, `text.${ending}`))
  files['damaged.tar.xz'] = Buffer.from(files['a.tar.xz']!).fill(0x55, 60, 80)
  files['damaged.tar.bz2'] = Buffer.from(files['a.tar.bz2']!).fill(0x55, 60, 80)
  const endings = ['tar', 'tar.gz', 'tar.bz2', 'tar.xz', 'tar.zst']
  const text = [
    'FROM base',
    ...endings.map((ending) => `ADD a.${ending} /${ending}/`),
    'ADD text.gz text.xz text.bz2 /plain/',
    'ADD --unpack=false a.tar.xz /whole/',
  ]
  await build(text.join('\n'), { context: { files }, tags: ['archives'] })
  for (const ending of endings) {
    t.match(
      await output('archives', 'sh', '-c', `cat /${ending}/d/f; ls -ln /${ending}/d/f`),
      /packed\n.* 3 +4 /,
      ending,
    )
  }
  t.equal(
    await output('archives', 'sh', '-c', 'ls /plain /whole'),
    '/plain:\ntext.bz2\ntext.gz\ntext.xz\n\n/whole:\na.tar.xz\n',
  )
  await build('FROM base\nADD damaged.tar.xz /x/', { context: { files }, tags: ['damaged'] })
  t.equal(await output('damaged', 'ls', '/x'), 'damaged.tar.xz\n', 'what never was an archive is copied')
  for (const ending of ['tar.xz', 'tar.bz2', 'tar.zst']) {
    mkdirSync(join(place, `c-${ending}`))
    writeFileSync(join(place, `c-${ending}/Dockerfile`), 'FROM base\nCOPY f /f\n')
    writeFileSync(join(place, `c-${ending}/f`), ending)
    const archive = join(place, `context.${ending}`)
    await tool('tar', ['-C', join(place, `c-${ending}`), '-caf', archive, '.'])
    await engine.build({ context: { tar: Readable.from([readFileSync(archive)]) }, tags: ['context'] })
    t.equal(await output('context', 'cat', '/f'), ending)
  }
  const cut = files['a.tar.gz']!.subarray(0, 40)
  t.match((await failure('FROM base\nRUN true', { context: { tar: Readable.from([cut]) } })).code, /INTEGRITY/)
})

t.test('contexts that have names', async (t) => {
  const place = folder(t)
  mkdirSync(join(place, 'lib'))
  writeFileSync(join(place, 'lib/a'), 'a\n')
  writeFileSync(join(place, 'lib/skipped'), 's\n')
  writeFileSync(join(place, 'lib/.dockerignore'), 'skipped\n')
  await tool('chown', ['-R', '7:8', join(place, 'lib')])
  const it = await testBuilder(t)
  const { build, output, failure } = it
  const text = [
    'FROM alpine AS tools',
    'RUN echo tool > /tool',
    'FROM base',
    'COPY --from=lib . /lib/',
    'COPY --from=memory m /m',
    'COPY --from=tools /tool /tool',
    'RUN --mount=type=bind,from=lib,target=/mnt ls -A /mnt > /seen',
  ].join('\n')
  const contexts = { lib: join(place, 'lib'), memory: { files: { m: 'memory' } }, alpine: 'docker-image://base' }
  await build(text, { contexts, tags: ['named'] })
  t.equal(
    await output('named', 'sh', '-c', 'ls -A /lib; cat /m /tool /seen'),
    '.dockerignore\na\nmemorytool\n.dockerignore\na\n',
  )
  t.match(await output('named', 'ls', '-ln', '/lib/a'), / 0 +0 /, 'owners of a context count for nothing')
  t.equal((await build(text, { contexts })).cachedSteps, 5)
  writeFileSync(join(place, 'lib/skipped'), 'changed\n')
  t.equal((await build(text, { contexts })).cachedSteps, 5)
  writeFileSync(join(place, 'lib/a'), 'changed\n')
  t.match(await build(text, { contexts }), { cachedSteps: 1 }, 'what stands on it is built anew')
  t.match((await failure('FROM lib', { contexts })).message, /context "lib" is no image/)
  const jubako = cli(it)
  const flags = ['--build-context', `lib=${join(place, 'lib')}`, '--build-context', 'other=docker-image://base']
  const built = await jubako.run(['build', '-q', ...flags, '-'], { input: 'FROM other\nCOPY --from=lib a /\n' })
  t.equal(built.code, 0, built.stderr)
})
