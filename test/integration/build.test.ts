// lanes: host
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Engine } from '../../src/engine/engine.js'
import { testBuilder } from '../helpers/build.js'
import { CHECKOUT } from '../helpers/checkout.js'
import { watchLeaks } from '../helpers/leaks.js'

t.test('stages, steps, secrets and the cache', async (t) => {
  const { build, output, engine } = await testBuilder(t)
  const text = [
    'FROM base AS one',
    'ENV A=1',
    'RUN echo hello > /hello && echo said',
    'WORKDIR /x/y',
    'COPY a b d /data/',
    'COPY --chown=app:app --chmod=600 a /one',
    'RUN exit 9',
    'FROM base AS unused',
    'RUN exit 8',
    'FROM base AS two',
    'ENV A=1',
    'RUN echo hello > /hello && echo said',
    'WORKDIR /x/y',
    'COPY a b d /data/',
    'COPY --chown=app:app --chmod=600 a /one',
    'FROM base',
    'COPY --from=two /hello /data/ /from/',
    'COPY --from=two /one /',
    'RUN --mount=type=secret,id=s cat /run/secrets/s | wc -c > /length',
    'CMD ["cat", "/from/hello"]',
  ].join('\n')
  const context = { files: { a: 'A', b: 'B', 'd/c': 'C' } }
  const options = { context, secrets: { s: 'xyz' }, tags: ['result:1'] }
  const first = await build(text, options)
  t.match(first.log, /said/)
  t.equal(first.cachedSteps, 0)
  t.equal(await output('result:1'), 'hello\n')
  t.equal(await output('result:1', 'cat', '/length'), '3\n')
  t.match(
    await output('result:1', 'ls', '-ln', '/from', '/one'),
    /-rw-------\s+1 1000\s+1000\s+1 .* \/one[\s\S]* a[\s\S]* b[\s\S]* c/,
  )
  t.match(await output('result:1', 'ls', '-A', '/run'), /No such file/, 'nothing of the secret, not even where it was')
  t.match(await output('result:1', 'ls', '/etc'), /^group\nhostname\nhosts\npasswd\nresolv.conf\n$/)
  const again = await build(text, options)
  t.equal(again.cachedSteps, again.steps)
  t.equal(again.imageId, first.imageId)
  const changed = await build(text, { ...options, context: { files: { a: 'A', b: 'B2', 'd/c': 'C' } } })
  t.match(changed.log, /COPY a b d \/data\/\n(?!> CACHED)/)
  t.match(changed.log, /WORKDIR \/x\/y\n> CACHED/)
  const entries = await engine.build.cache()
  t.ok(entries.some(({ description }) => description.startsWith('RUN echo hello')))
  const { deleted } = await engine.build.prune({ all: true })
  t.equal(deleted.length, entries.length)
  t.equal((await engine.build.cache()).length, 0)
  t.equal(await output('result:1'), 'hello\n', 'images keep their layers')
})

t.test('a step that fails says which, where and how', async (t) => {
  const { failure, checkLeaks, root } = await testBuilder(t)
  const error = await failure('FROM base\nRUN true\nRUN echo before; \\\n  exit 3\nRUN never')
  t.match(error, {
    code: 'ERR_JUBAKO_BUILD',
    message: 'process "/bin/sh -c echo before;   exit 3" did not complete successfully: exit code: 3',
    location: { line: 3, column: 1, endLine: 4 },
    failed: { name: '[3/4] RUN echo before;   exit 3', exitCode: 3, output: 'before\n' },
  })
  t.match(error.excerpt, /3 \| >>> RUN echo before/)
  t.strictSame(readdirSync(`${root}/build/tmp`), [])
  t.strictSame(readdirSync(`${root}/containers`), [])
  await t.rejects(checkLeaks(), /build\/steps/, 'only the cache grew')
})

t.test('what is refused, with a place and a remedy', async (t) => {
  const { failure, engine } = await testBuilder(t)
  const context = { files: { 'main.c': 'x', '.dockerignore': 'secret\n', secret: 's' } }
  const cases: [text: string, message: RegExp, hint?: RegExp][] = [
    ['FROM base\nCOPY ../etc/passwd /', /forbidden path outside the build context: \.\.\/etc\/passwd/],
    ['FROM base\nCOPY mian.c /', /"\/mian.c": not found \(did you mean main.c\?\)/, /main.c/],
    ['FROM base\nCOPY secret /', /"\/secret": not found/, /excluded by .dockerignore/],
    [
      'FROM base AS a\nCOPY --from=b /x /\nFROM base AS b\nCOPY --from=a /x /',
      /circular dependency/,
      /a -> b -> a|b -> a -> b/,
    ],
    ['FROM base AS a\nCOPY --from=0 /x /', /refers to current build block/],
    ['FROM base\nRUN --mount=type=secret,id=s,required x', /secret s: not found/, /--secret id=s/],
    ['FROM base\nRUN --security=insecure x', /security.insecure is not allowed/, /--allow/],
    ['FROM base\nCOPY main.c . /x', /more than one source file, the destination must be a directory/],
    ['FROM base\nCOPY --chown=nobody:nogroup main.c /', /invalid user or group/],
    ['FROM base\nCOPY --chmod=999 main.c /', /octal string/],
    ['FROM $nothing', /base name \(\$nothing\) should not be blank/, /--build-arg/],
    ['FROM base\nEXPOSE 99999', /invalid range|invalid containerPort/],
    ['FROM base\nENV a=${b', /missing '}'/],
  ]
  for (const [text, message, hint] of cases) {
    const error = await failure(text, { context })
    t.match(error.message, message, text)
    t.ok(error.location, `${text}: place`)
    if (hint !== undefined) t.match(error.hint, hint, text)
  }
  const target = await failure('FROM base AS build', { target: 'biuld' })
  t.match(target.message, /target stage "biuld" could not be found \(did you mean build\?\)/)
  t.strictSame(
    (await engine.images()).filter(({ tags }) => tags.length === 0),
    [],
    'nothing half-made stays',
  )
})

t.test('links in a context lead nowhere outside of it', async (t) => {
  const { failure, build, output } = await testBuilder(t)
  const { mkdtempSync, symlinkSync, writeFileSync, rmSync } = await import('node:fs')
  const folder = mkdtempSync('/tmp/jubako-context-')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  symlinkSync('/etc/passwd', `${folder}/absolute`)
  symlinkSync('../../../../../../etc/passwd', `${folder}/relative`)
  symlinkSync('/etc', `${folder}/folder`)
  writeFileSync(`${folder}/here`, 'inside')
  symlinkSync('/here', `${folder}/inside`)
  for (const name of ['absolute', 'relative', 'folder/passwd']) {
    t.match((await failure(`FROM base\nCOPY ${name} /x`, { context: folder })).message, /not found/, name)
  }
  await build('FROM base\nCOPY inside /x', { context: folder, tags: ['links'] })
  t.equal(await output('links', 'cat', '/x'), 'inside')
})

t.test('a build that is stopped leaves nothing', async (t) => {
  const { engine, root, runRoot } = await testBuilder(t)
  await engine.build({ dockerfileText: 'FROM base\nRUN true' })
  const leaks = watchLeaks({ roots: [root, runRoot], mayAppear: /\/(bin|trash|events|build\/steps)(\/|$)/ })
  const text = 'FROM base AS a\nRUN sleep 60\nFROM base\nRUN sleep 61\nCOPY --from=a /x /'
  for (const after of [0, 20, 300]) {
    const stop = new AbortController()
    const built = engine.build({ dockerfileText: text, signal: stop.signal, tags: ['half'] })
    await sleep(after)
    stop.abort()
    await t.rejects(built, { code: 'ERR_JUBAKO_ABORTED' })
  }
  await t.rejects(engine.build({ dockerfileText: text, timeout: 300 }), { message: /took longer than 0.3 s/ })
  t.notOk((await engine.images()).some(({ tags }) => tags.includes('half:latest')))
  await leaks.check()
})

t.test('what a killed build left is swept by the next', async (t) => {
  const { root, runRoot, image, engine } = await testBuilder(t)
  const script = `
    const { Engine } = await import(process.argv[1])
    const engine = await Engine.open({ root: process.argv[2], runRoot: process.argv[3] })
    const onProgress = (event) => { if (event.type === 'output') process.kill(process.pid, 'SIGKILL') }
    await engine.build({ dockerfileText: 'FROM base\\nRUN echo x; sleep 50', context: { files: { a: 'a' } }, onProgress })`
  const { spawnSync } = await import('node:child_process')
  const module = join(CHECKOUT, 'dist/src/index.js')
  const killed = spawnSync(process.execPath, ['--input-type=module', '-e', script, module, root, runRoot])
  t.equal(killed.signal, 'SIGKILL', killed.stderr.toString())
  t.not(readdirSync(`${root}/build/tmp`).length, 0, 'it left something')
  await engine.close()
  const next = await Engine.open({ root, runRoot })
  await next.build({ dockerfileText: `FROM ${image}\nRUN true` })
  t.strictSame(readdirSync(`${root}/build/tmp`), [])
  t.strictSame(await next.containers({ all: true }), [])
  await next.close()
})

t.test('one digest on two stores', async (t) => {
  const text = 'FROM base\nRUN echo x > /file && mkdir /made\nCOPY . /context\nWORKDIR /w'
  const ids: string[] = []
  for (let store = 0; store < 2; store++) {
    const { build } = await testBuilder(t)
    const { imageId } = await build(text, {
      context: { files: { a: 'A', 'b/c': 'C' } },
      args: { SOURCE_DATE_EPOCH: '1700000000' },
    })
    ids.push(imageId)
    await sleep(1100)
  }
  t.equal(ids[0], ids[1])
})

t.test('here-documents', async (t) => {
  const { build, output } = await testBuilder(t)
  const text = [
    'FROM base',
    'ENV NAME=world',
    'RUN <<EOF',
    'mkdir -p /made',
    'echo "hello $NAME" > /made/file',
    'EOF',
    'RUN <<EOF',
    '#!/bin/cat',
    'as a script',
    'EOF',
    'COPY <<A <<-"B" /docs/',
    'expanded $NAME',
    'A',
    '\traw $NAME',
    'B',
    'RUN cat <<X > /x && echo more >> /x',
    'inline',
    'X',
  ].join('\n')
  await build(text, { tags: ['documents'] })
  const all = await output('documents', 'cat', '/made/file', '/docs/A', '/docs/B', '/x')
  t.equal(all, 'hello world\nexpanded world\nraw $NAME\ninline\nmore\n')
})

t.test('a failed step that is kept can be looked into', async (t) => {
  const { failure, engine, root } = await testBuilder(t)
  const text = 'FROM base\nENV A=seen\nUSER app\nWORKDIR /tmp/here\nRUN echo left > file; exit 4'
  const { failed } = await failure(text, { onError: 'keep' })
  t.match(failed, { exitCode: 4, kept: { workdir: '/tmp/here', user: 'app' } })
  let seen = ''
  await engine.build.shell(failed!.kept!, async (container) => {
    container.stdin?.end('cat file; echo $A; id -un; pwd\nexit 0\n')
    for await (const chunk of container.stdout!) seen += String(chunk)
    t.equal((await container.wait()).exitCode, 0)
  })
  t.match(seen, /left\s+seen\s+app\s+\/tmp\/here/)
  t.strictSame(readdirSync(`${root}/containers`), [])
  const removed = await failure(text)
  t.equal(removed.failed?.kept, undefined, 'only when it is asked for')
})

t.test('stages that do not need each other are built at the same time', async (t) => {
  const { build } = await testBuilder(t)
  const shared = 'RUN --mount=type=cache,id=meet,target=/meet'
  // Each waits for what the other one writes: one after the other they would never end.
  const wait = (mine: string, other: string) =>
    `${shared} touch /meet/${mine}; n=0; until test -e /meet/${other}; do sleep 0.1; n=$((n+1)); test $n -lt 600; done`
  const text = `FROM base AS a\n${wait('a', 'b')}\nFROM base AS b\n${wait('b', 'a')}\nFROM base\nCOPY --from=a /etc/passwd /a\nCOPY --from=b /etc/passwd /b`
  t.ok((await build(text, { timeout: 120_000 })).imageId)
})

t.test('arguments: predefined ones, proxies, scope, and what counts for the cache', async (t) => {
  const { build, output, engine } = await testBuilder(t)
  const text = [
    'ARG GLOBAL=1 TARGETARCH',
    'FROM --platform=$BUILDPLATFORM base AS native',
    'ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETSTAGE BUILDPLATFORM GLOBAL=own',
    'RUN echo "$TARGETPLATFORM $TARGETOS $TARGETARCH $TARGETSTAGE $BUILDPLATFORM $GLOBAL" > /values',
    'FROM native AS child',
    'RUN echo "$HTTP_PROXY|$TARGETOS|$GLOBAL" > /inherited',
    'FROM base AS stranger',
    'RUN test -z "$TARGETOS$GLOBAL"',
    'FROM child',
    'COPY --from=stranger /etc/passwd /copied',
  ].join('\n')
  const first = await build(text, { tags: ['args'], args: { HTTP_PROXY: 'http://proxy:1' } })
  const [os, arch] = ['linux', process.arch === 'x64' ? 'amd64' : process.arch]
  t.equal(
    await output('args', 'cat', '/values', '/inherited'),
    `${os}/${arch} ${os} ${arch} native ${os}/${arch} own\nhttp://proxy:1|${os}|own\n`,
  )
  const again = await build(text, { args: { HTTP_PROXY: 'http://other:2' } })
  t.equal(again.cachedSteps, again.steps, 'a proxy counts for nothing')
  const history = JSON.stringify((await engine.images.history(first.imageId)).map(({ createdBy }) => createdBy))
  t.notMatch(history, /proxy:1/)
  t.equal((await build(text, { args: { GLOBAL: 'other' } })).cachedSteps, 1, 'only a stage without it stays')
  t.equal((await build(text, { args: { NOBODY: 'asks' } })).cachedSteps, again.steps)
})

t.test('the image: history, diffIDs, triggers, health check, and the layers of a base', async (t) => {
  const { build, output, engine } = await testBuilder(t)
  const base = [
    'FROM base',
    'ONBUILD COPY note /note',
    'ONBUILD RUN cat /note > /copied',
    'HEALTHCHECK --interval=30s --start-interval=1s CMD test -e /note',
    'ENTRYPOINT ["/bin/echo"]',
    'CMD ["inherited"]',
  ].join('\n')
  await build(base, { tags: ['parent'] })
  const context = { files: { note: 'from the child' } }
  const { imageId } = await build('FROM parent\nRUN rm /note\nSHELL ["/bin/sh","-ec"]\nENTRYPOINT cat /copied', {
    tags: ['child'],
    context,
  })
  t.equal(await output('child'), 'from the child')
  const inspected = (await engine.inspectImage(imageId)) as {
    Config: object
    RootFS: { Layers: string[] }
  }
  t.match(inspected.Config, {
    Healthcheck: { Interval: 30e9, StartInterval: 1e9 },
    Entrypoint: ['/bin/sh', '-ec', 'cat /copied'],
  })
  t.notOk((inspected.Config as { Cmd?: string[] }).Cmd?.length, 'a new entry point drops the command of the base')
  t.notOk((inspected.Config as { OnBuild?: string[] }).OnBuild?.length, 'triggers are used up')
  const history = (await engine.images.history(imageId)).map(({ createdBy }) => createdBy)
  t.match(history.slice(0, 5), [
    /^ENTRYPOINT \["\/bin\/sh" "-ec" "cat \/copied"\]|^ENTRYPOINT \["\/bin\/sh","-ec","cat \/copied"\]/,
    /^SHELL \[\/bin\/sh -ec\]/,
    /^RUN \/bin\/sh -c rm \/note # buildkit/,
    /^RUN \/bin\/sh -c cat \/note > \/copied # buildkit/,
    /^COPY note \/note # buildkit/,
  ])
  const archive = `${await import('node:os').then(({ tmpdir }) => tmpdir())}/jubako-history-${process.pid}.tar`
  t.teardown(() => import('node:fs').then(({ rmSync }) => rmSync(archive, { force: true })))
  const { pipeline } = await import('node:stream/promises')
  const { createWriteStream } = await import('node:fs')
  await pipeline(await engine.images.save(['child']), createWriteStream(archive))
  const { tool } = await import('../helpers/processes.js')
  const config = JSON.parse(await tool('skopeo', ['inspect', '--config', '--raw', `docker-archive:${archive}`])) as {
    history: { empty_layer?: boolean }[]
    rootfs: { diff_ids: string[] }
  }
  t.equal(config.history.filter(({ empty_layer }) => !empty_layer).length, config.rootfs.diff_ids.length)
  t.strictSame(config.rootfs.diff_ids, inspected.RootFS.Layers)
  // Whoever unpacks it computes every diffID anew.
  await tool('skopeo', ['copy', '-q', `docker-archive:${archive}`, `dir:${archive}.d`])
  t.teardown(() => import('node:fs').then(({ rmSync }) => rmSync(`${archive}.d`, { recursive: true, force: true })))
})

t.test('mounts of a step are its own: what is bound, tmpfs, privileges', async (t) => {
  const { build, failure, output } = await testBuilder(t)
  const context = { files: { a: 'A', '.dockerignore': 'hidden', hidden: 'h' } }
  const text = [
    'FROM base AS other',
    'RUN echo there > /there',
    'FROM base',
    'RUN --mount=target=/ctx ls -A /ctx > /seen && ! touch /ctx/x',
    'RUN --mount=target=/ctx,rw echo changed > /ctx/a && cp /ctx/a /changed',
    'RUN --mount=target=/ctx cp /ctx/a /unchanged',
    'RUN --mount=from=other,source=there,target=/one cat /one >> /seen',
    'RUN --mount=type=tmpfs,target=/t,size=1m ! head -c 2m /dev/zero > /t/big && df -k /t | tail -1 >> /seen',
    'RUN --mount=type=tmpfs,target=/t ls -A /t >> /seen',
  ].join('\n')
  await build(text, { context, tags: ['mounted'] })
  t.match(
    await output('mounted', 'cat', '/seen', '/changed', '/unchanged'),
    /^\.dockerignore\na\nthere\n.* 1024 .*\nchanged\nA$/,
  )
  t.match(await output('mounted', 'ls', '-d', '/ctx', '/t', '/one'), /No such file/, 'nothing of the mounts stays')
  const insecure = 'FROM base\nRUN --security=insecure grep CapEff /proc/self/status'
  const bounding = await build(insecure, { allowInsecure: true })
  t.notMatch(bounding.log, /00000000a80425fb/)
  await build('FROM base\nRUN --network=none test $(wc -l < /proc/net/dev) = 3')
  t.match((await failure('FROM base\nRUN --mount=target=/ /x')).message, /invalid mount target|mount target/)
})
