// lanes: host
/** What single instructions do: ways of copying, mounts, secrets, agents, limits. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { testBuilder } from '../helpers/build.js'
import { cli } from '../helpers/cli.js'
import { watchLeaks } from '../helpers/leaks.js'
import { spawnBound, tool } from '../helpers/processes.js'

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'jubako-steps-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const tree = {
  files: {
    'a/one.txt': '1',
    'a/one.log': 'l',
    'a/b/two.txt': '2',
    'a/b/c/three.txt': '3',
    'a/b/c/skip.txt': 's',
    'x/y/z/deep.txt': 'd',
    'top.txt': 't',
  },
}
const find = ['sh', '-c', 'cd /out && find . -type f | sort'] as const

t.test('--parents and --exclude', async (t) => {
  const { build, output } = await testBuilder(t)
  const cases: [flags: string, files: string[]][] = [
    ['--parents a/b/two.txt x/y/z /out/', ['./a/b/two.txt', './x/y/z/deep.txt']],
    ['--parents a/./b/two.txt /out/', ['./b/two.txt']],
    ['--parents ./a/one.txt /out/', ['./a/one.txt']],
    ['--parents ./x/./y/ /out/', ['./y/z/deep.txt']],
    ['--parents ./x/./ /out/', ['./y/z/deep.txt']],
    ['--parents ./a/b/./c/*.txt ./a/./one.* /out/', ['./c/skip.txt', './c/three.txt', './one.log', './one.txt']],
    ['--parents a/*/*.txt /out/', ['./a/b/two.txt']],
    ['--parents **/three.txt /out/', ['./a/b/c/three.txt']],
    ['--parents x/./y/**/*.txt /out/', ['./y/z/deep.txt']],
    ['--exclude=*.log a /out/', ['./b/c/skip.txt', './b/c/three.txt', './b/two.txt', './one.txt']],
    ['--exclude=**/*.txt a /out/', ['./one.log']],
    ['--exclude=b/c --exclude=*.log a /out/', ['./b/two.txt', './one.txt']],
    ['--exclude=**/*.txt --exclude=!b/two.txt a /out/', ['./b/two.txt', './one.log']],
    ['--parents --exclude=**/skip.txt a/b /out/', ['./a/b/c/three.txt', './a/b/two.txt']],
  ]
  for (const [flags, files] of cases) {
    await build(`FROM base\nCOPY ${flags}`, { context: tree, tags: ['copied'] })
    t.strictSame((await output('copied', ...find)).trim().split('\n'), files, flags)
  }
})

t.test('patterns of COPY and what .dockerignore leaves of them', async (t) => {
  const { build, output, failure } = await testBuilder(t)
  const files = {
    '.dockerignore': '*.log\n!keep.log\nno/\n',
    'keep.log': 'k',
    'gone.log': 'g',
    'no/one.txt': 'n',
    'yes/one.txt': 'y',
    'yes/two.txt': 'z',
    '[odd]/f': 'o',
  }
  const cases: [sources: string, files: string[]][] = [
    ['*.log', ['./keep.log']],
    ['*/one.txt', ['./one.txt']],
    ['y?s/*.txt', ['./one.txt', './two.txt']],
    ['[x-z]es/t*', ['./two.txt']],
    ['[[]odd]', ['./f']],
    ['[^x]es', ['./one.txt', './two.txt']],
  ]
  for (const [sources, expected] of cases) {
    await build(`FROM base\nCOPY ${sources} /out/`, { context: { files }, tags: ['matched'] })
    t.strictSame((await output('matched', ...find)).trim().split('\n'), expected, sources)
  }
  t.match(await failure('FROM base\nCOPY gone.log /out/', { context: { files } }), {
    hint: /excluded by .dockerignore/,
  })
  // Exceptions with wild cards reach below what is left out, as BuildKit's do.
  const populated = {
    a: 'a',
    'keep/c': 'c',
    'sub/x-a': '1',
    'sub/x-c': '2',
    'sub/deep/x-a': '3',
    'sub/deep/x-c': '4',
    'sub/deep/deeper/x-a': '5',
  }
  const all = Object.keys(populated)
  const ignores: [patterns: string[], left: string[]][] = [
    [[], all],
    [['**'], []],
    [['**/x-a', '!**/deeper'], all.filter((path) => !/x-a/.test(path)).concat('sub/deep/deeper/x-a')],
    [['**/*-a', '!**/*-c'], all.filter((path) => !path.endsWith('-a'))],
    [['!**/*-c'], all],
    [['sub/'], ['a', 'keep/c']],
    [
      ['sub/', '!**/x-c'],
      ['a', 'keep/c', 'sub/x-c', 'sub/deep/x-c'],
    ],
    [
      ['sub', '!*/x-*'],
      ['a', 'keep/c', 'sub/x-a', 'sub/x-c'],
    ],
    [['**', '!keep/c'], ['keep/c']],
    [['**', '!keep/nothing'], []],
    [
      ['**/deep', '!**/deeper'],
      ['a', 'keep/c', 'sub/x-a', 'sub/x-c', 'sub/deep/deeper/x-a'],
    ],
    [
      ['**', '!sub', 'sub/deep', '!sub/deep/deeper'],
      ['sub/x-a', 'sub/x-c', 'sub/deep/deeper/x-a'],
    ],
  ]
  for (const [patterns, left] of ignores) {
    const context = { files: { ...populated, '.dockerignore': `${patterns.join('\n')}\n` } }
    const text = 'FROM base\nCOPY --exclude=.dockerignore . /out/\nRUN mkdir -p /out'
    await build(text, { context, tags: ['ignored'] })
    const found = (await output('ignored', ...find))
      .trim()
      .split('\n')
      .filter((line) => line !== '')
    t.strictSame(found, left.map((path) => `./${path}`).sort(), patterns.join(' '))
  }
})

t.test('--link: a layer that stands for itself', async (t) => {
  const { build, output } = await testBuilder(t)
  const text = (before: string) =>
    `FROM base\nRUN ${before}\nCOPY --link top.txt /way/top.txt\nADD --link --chown=7:8 a /way/`
  await build(text('mkdir /real && ln -s real /way'), { context: tree, tags: ['linked'] })
  t.match(
    await output('linked', 'ls', '-ldn', '/way', '/way/top.txt', '/way/b'),
    /^drwx.* \/way\n/m,
    'no link of the layers below is followed',
  )
  t.match(await output('linked', 'ls', '-ln', '/way/one.txt'), / 7 +8 /)
  const other = await build(text('echo other > /else'), { context: tree, tags: ['other'] })
  t.equal(other.cachedSteps, 2, 'what lies below may change')
  t.equal(await output('other', 'cat', '/else', '/way/top.txt'), 'other\nt')
  const plain = await build(text('echo third').replaceAll(' --link', ''), { context: tree })
  t.equal(plain.cachedSteps, 0)
})

t.test('sources that meet, and what is in the way', async (t) => {
  const { build, output, failure } = await testBuilder(t)
  const place = folder(t)
  await tool('sh', [
    '-c',
    `cd ${place} && echo file > kind && tar -cf file.tar kind && rm kind && mkdir kind && echo in > kind/x && tar -cf dir.tar kind`,
  ])
  const files: Record<string, string | Buffer> = {
    'file.tar': readFileSync(join(place, 'file.tar')),
    'dir.tar': readFileSync(join(place, 'dir.tar')),
  }
  for (const name of ['a', 'b', 'c']) files[`${name}/same`] = name.repeat(300_000)
  const cut = (name: string) => `cut -c1-3 ${name}`
  for (let round = 0; round < 5; round++) {
    await build('FROM base\nCOPY a b c /dirs/\nCOPY */same /stars/\nCOPY a/same b/same /files/', {
      context: { files },
      tags: ['met'],
      noCache: true,
    })
    t.equal(
      await output('met', 'sh', '-c', `${cut('/dirs/same')}; ${cut('/stars/same')}; ${cut('/files/same')}`),
      'ccc\nccc\nbbb\n',
      'the last one wins',
    )
  }
  await build('FROM base\nRUN mkdir -p /t/kind/deep && touch /t/kind/deep/x\nADD file.tar /t/', {
    context: { files },
    tags: ['replaced'],
  })
  t.equal(await output('replaced', 'cat', '/t/kind'), 'file\n', 'an archive replaces a directory')
  await build('FROM base\nRUN mkdir /t && ln -s /etc /t/kind\nADD dir.tar /t/', {
    context: { files },
    tags: ['replaced'],
  })
  t.equal(
    await output('replaced', 'sh', '-c', 'cat /t/kind/x; test -L /t/kind || test ! -e /etc/x && echo good'),
    'in\ngood\n',
    'and a link',
  )
  t.match(await failure('FROM base\nRUN mkdir -p /t/same\nCOPY a/ /t/', { context: { files } }), {
    message: /cannot copy to directory: same/,
  })
  await build('FROM base\nRUN ln -s real/deep /dangling && ln -s loop /loop\nCOPY a/same /dangling/sub/', {
    context: { files },
    tags: ['through'],
  })
  t.equal(
    await output('through', 'sh', '-c', 'ls /real/deep/sub; readlink /dangling'),
    'same\nreal/deep\n',
    'what a link names is made',
  )
  t.match(await failure('FROM base\nRUN ln -s loop /loop\nCOPY a/same /loop/x/', { context: { files } }), {
    message: /ELOOP|EEXIST/,
  })
  await build('FROM base\nRUN ln -s /../../../outside /up\nCOPY a/same /up/x/', { context: { files }, tags: ['up'] })
  t.equal(await output('up', 'ls', '/outside/x'), 'same\n', 'inside the root')
  t.notOk(existsSync('/outside'))
})

t.test('secrets are seen by their step only', async (t) => {
  const it = await testBuilder(t)
  const { build, failure, root } = it
  const value = 'correct-horse-battery'
  const secrets = { token: `${value}\n` }
  const mount = 'RUN --mount=type=secret,id=token'
  const seen = await build(
    `FROM base\n${mount},target=/t,mode=0440,uid=3,gid=4 ls -ln /t; cat /t\n${mount},env=TOKEN test "$TOKEN"`,
    { secrets },
  )
  t.match(seen.log, /-r--r----- +1 3 +4 [\s\S]*correct-horse/)
  for (const text of [
    `${mount} cp /run/secrets/token /kept`,
    `${mount} mkdir -p /d/e && (echo before; cat /run/secrets/token) > /d/e/f`,
    `${mount},env=TOKEN dd if=/dev/zero bs=1M count=1 of=/big && echo "x$TOKEN" >> /big`,
  ]) {
    const error = await failure(`FROM base\n${text}`, { secrets, tags: ['leaky'] })
    t.match(
      error,
      {
        message: /the value of secret token would be in the image: the step wrote it to \/(kept|d\/e\/f|big)/,
        location: { line: 2 },
        hint: /--allow secrets.in-layers/,
      },
      text,
    )
  }
  t.notOk((await it.engine.images()).some(({ tags }) => tags.includes('leaky:latest')))
  t.equal((await tool('sh', ['-c', `grep -rl ${value} ${root} || true`])).trim(), '', 'nor in a file of the store')
  await build(`FROM base\n${mount} cat /run/secrets/token > /tmp/x && rm /tmp/x`, { secrets })
  await build(`FROM base\n${mount} cp /run/secrets/token /kept`, { secrets, allowSecretsInLayers: true })
  const place = folder(t)
  writeFileSync(join(place, 's'), value)
  const jubako = cli(it)
  const input = `FROM base\n${mount} cp /run/secrets/token /kept\n`
  const said = await jubako.run(['build', '--no-cache', '--secret', `id=token,src=${place}/s`, '-'], { input })
  t.equal(said.code, 1)
  t.notMatch(said.stderr + said.stdout, value)
  const fromEnvironment = await jubako.run(['build', '-q', '--secret', 'id=token,env=MINE', '-'], {
    input: `FROM base\n${mount} test "$(cat /run/secrets/token)" = mine\n`,
    env: { MINE: 'mine' },
  })
  t.equal(fromEnvironment.code, 0, fromEnvironment.stderr)
})

t.test('an agent for ssh', async (t) => {
  const place = folder(t)
  const socket = join(place, 'agent')
  const agent = spawnBound('ssh-agent', ['-D', '-a', socket])
  t.teardown(() => agent.kill())
  while (!existsSync(socket)) await new Promise((settle) => setTimeout(settle, 20))
  await tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'the key', '-f', join(place, 'key')])
  await tool('env', [`SSH_AUTH_SOCK=${socket}`, 'ssh-add', '-q', join(place, 'key')])
  const it = await testBuilder(t)
  // The agent protocol by hand: a request for identities is five bytes, and its answer names the key.
  const ask = `printf '\\0\\0\\0\\1\\13' | nc -w 5 local:$SSH_AUTH_SOCK | tr -cd '[:print:]'`
  await tool('cp', ['/bin/busybox', join(place, 'busybox')])
  const probe = `RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && ls -ln $SSH_AUTH_SOCK && (${ask} || true)`
  const built = await it.build(`FROM base\n${probe}`, { ssh: { default: socket } })
  t.match(built.log, /srw/)
  await it.build(
    'FROM base\nRUN --mount=type=ssh,id=other,target=/agent test -S /agent && test "$SSH_AUTH_SOCK" = /agent',
    { ssh: { other: socket } },
  )
  t.match(await it.failure('FROM base\nRUN --mount=type=ssh,required true'), {
    message: /ssh default: not found/,
    hint: /--ssh default/,
  })
  await it.build('FROM base\nRUN --mount=type=ssh test -z "$SSH_AUTH_SOCK"')
  const jubako = cli(it)
  const input = 'FROM base\nRUN --mount=type=ssh test -S "$SSH_AUTH_SOCK"\n'
  const flagged = await jubako.run(['build', '-q', '--no-cache', '--ssh', 'default', '-'], {
    input,
    env: { SSH_AUTH_SOCK: socket },
  })
  t.equal(flagged.code, 0, flagged.stderr)
  const named = await jubako.run(['build', '-q', '--no-cache', '--ssh', `default=${socket}`, '-'], { input })
  t.equal(named.code, 0, named.stderr)
})

t.test('limits and surroundings of RUN', async (t) => {
  const it = await testBuilder(t)
  const jubako = cli(it)
  const run = (command: string, ...flags: string[]) =>
    jubako.run(['build', '--no-cache', ...flags, '-'], { input: `FROM base\nRUN ${command}\n` })
  const says = async (command: string, expected: RegExp, ...flags: string[]) => {
    const { stderr, code } = await run(command, ...flags)
    t.equal(code, 0, stderr)
    t.match(stderr, expected, flags.join(' '))
  }
  await says('cat /etc/hosts', /10\.1\.2\.3\s+somewhere/, '--add-host', 'somewhere:10.1.2.3')
  await says('df -k /dev/shm | tail -1', / 32768 /, '--shm-size', '32m')
  await says('ulimit -n', / 123\n/, '--ulimit', 'nofile=123:456')
  await says('cat /proc/net/dev | wc -l', / 3\n/, '--network', 'none')
  await says('hostname', / buildkitsandbox\n/)
  await says('hostname', / chosen\n/, '--build-arg', 'BUILDKIT_SANDBOX_HOSTNAME=chosen')
  await says('cat /proc/self/status | grep Seccomp:', /\s2\n/)
  await says('grep CapEff /proc/self/status', /00000000a80425fb/)
  // Where the controllers are version 1 the quota is in a file of its own.
  const quota = 'cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null; true'
  await says(quota, / 50000( 100000)?\n/, '--cpus', '0.5')
  await says(quota, / 20000( 40000)?\n/, '--cpu-period', '40000', '--cpu-quota', '20000')
  const hungry = await run('tail -c 200m /dev/zero > /dev/null', '--memory', '16m')
  t.equal(hungry.code, 1)
  t.match(hungry.stderr, /did not complete successfully: exit code: \d+ \(killed: out of memory\)|exit code: 137/)
  t.match((await run('true', '--memory', '1k')).stderr, /memory limit|Minimum memory/i)
  const late = await run('sleep 100', '--timeout', '500ms')
  t.equal(late.code, 1)
  t.match(late.stderr, /the build took longer than 0\.5 s/)
  const own = await jubako.run(['build', '--no-cache', '-'], {
    input: 'FROM base\nRUN --network=host readlink /proc/self/ns/net\n',
  })
  t.match(own.stderr, (await tool('readlink', ['/proc/self/ns/net'])).trim())
})

t.test('cache mounts: listed, seeded, exported, used by run', async (t) => {
  const it = await testBuilder(t)
  const { engine, build, output } = it
  const mount = (more = '') => `RUN --mount=type=cache,target=/cache,id=things${more}`
  await build(`FROM base\n${mount()} echo 1 >> /cache/log`)
  await build(`FROM base\n${mount()} echo 2 >> /cache/log`)
  const [{ path } = { path: '' }] = engine.build.mounts().filter(({ id }) => id === 'things')
  t.equal(readFileSync(join(path, 'log'), 'utf8'), '1\n2\n')
  writeFileSync(join(path, 'put'), 'from outside')
  const used = await engine.run(it.image, ['cat', '/c/put'], { mounts: [{ type: 'bind', source: path, target: '/c' }] })
  let text = ''
  for await (const chunk of used.stdout!) text += String(chunk)
  await used.close()
  t.equal(text, 'from outside')
  await build(`FROM base\n${mount()} cp /cache/put /copied`, { tags: ['used'] })
  t.equal(await output('used', 'cat', '/copied'), 'from outside')
  t.match(await output('used', 'ls', '-A', '/cache'), /No such file/)
  await build(
    `FROM base AS seed\nRUN echo grain > /grain\nFROM base\nRUN --mount=type=cache,target=/s,from=seed,source=/,id=seeded cp /s/grain /g`,
    { tags: ['seeded'] },
  )
  t.equal(await output('seeded', 'cat', '/g'), 'grain\n')
  await build(`FROM base\nRUN --mount=type=cache,target=/cache,id=things,readonly ! touch /cache/x`)
  const owned = await build(
    `FROM base\nUSER 5\n${mount(',mode=0700,uid=5')} ls /cache | wc -l; touch /cache/mine; ls -ldn /cache`,
  )
  t.match(owned.log, /^0\ndrwx------ .* 5 +0 /m, 'who asks for another owner gets a directory that is theirs')
  const spaces = await build(`FROM base\n${mount()} ls /cache | wc -l`, { args: { BUILDKIT_CACHE_MOUNT_NS: 'apart' } })
  t.match(spaces.log, /^0$/m)
  const both = await build(
    `FROM base AS a\nRUN --mount=type=cache,target=/l,sharing=locked mkdir /l/held && sleep 0.3 && rmdir /l/held\nFROM base AS b\nRUN --mount=type=cache,target=/l,sharing=locked mkdir /l/held && sleep 0.3 && rmdir /l/held\nFROM base\nCOPY --from=a /etc/passwd /a\nCOPY --from=b /etc/passwd /b`,
  )
  t.ok(both.imageId, 'one at a time')
  const jubako = cli(it)
  const du = await jubako.run(['builder', 'du', '--verbose'])
  t.match(du.stdout, /exec.cachemount/)
  t.match(du.stdout, /cached mount things/)
})

t.test('the cache is pruned as asked', async (t) => {
  const it = await testBuilder(t)
  const { build, engine } = it
  const jubako = cli(it)
  const size = 300_000
  for (const n of [1, 2, 3])
    await build(`FROM base\nRUN head -c ${size} /dev/urandom > /${n}`, { noImage: true }).then(({ release }) =>
      release(),
    )
  await build('FROM base\nRUN --mount=type=cache,target=/m head -c 1000 /dev/zero > /m/x')
  const rows = async () =>
    (await engine.build.cache()).map(({ description }) => description.replace(/^.* > /, '')).sort()
  t.strictSame(await rows(), ['/1', '/2', '/3', '/m/x', 'cached mount /m'])
  const prune = async (...flags: string[]) => {
    const said = await jubako.run(['builder', 'prune', '-f', ...flags])
    t.equal(said.code, 0, said.stderr)
    return said.stdout
  }
  t.match(await prune('--filter', 'until=24h'), /Total reclaimed space: 0B/)
  t.match(
    await prune('--filter', 'description=/1'),
    /Deleted build cache objects:\n[0-9a-z]{25}\n\nTotal reclaimed space: 300kB/,
  )
  t.strictSame(await rows(), ['/2', '/3', '/m/x', 'cached mount /m'])
  await prune('--keep-storage', '400kb')
  t.strictSame(await rows(), ['/3', '/m/x', 'cached mount /m'], 'what was used last stays')
  await prune('--filter', 'type=exec.cachemount', '-a')
  t.strictSame(await rows(), ['/3', '/m/x'])
  await prune('--filter', 'shared=true')
  await prune('--filter', 'inuse=false', '--filter', 'unused-for=1h')
  t.ok((await rows()).includes('/3'))
  await prune()
  t.strictSame(await rows(), [])
  t.match((await jubako.run(['builder', 'prune', '-f', '--filter', 'color=red'])).stderr, /invalid filter 'color/)
})

t.test('where the result goes', async (t) => {
  const it = await testBuilder(t)
  const place = folder(t)
  const at = (name: string) => join(place, name)
  const jubako = cli(it)
  const input = 'FROM scratch\nCOPY --from=base /etc/passwd /sub/passwd\n'
  const build = async (...flags: string[]) => {
    const said = await jubako.run(['build', ...flags, '-'], { input })
    t.equal(said.code, 0, said.stderr)
    return said
  }
  await build('-o', at('folder'))
  t.match(readFileSync(at('folder/sub/passwd'), 'utf8'), /root/)
  await build('--output', `type=local,dest=${at('local')}`)
  t.ok(existsSync(at('local/sub/passwd')))
  await build('--output', `type=tar,dest=${at('files.tar')}`)
  t.equal(await tool('tar', ['-tf', at('files.tar')]), 'sub/\nsub/passwd\n')
  t.equal((await it.engine.images()).filter(({ tags }) => !tags.includes('base:latest')).length, 0, 'no image of these')
  for (const type of ['docker', 'oci']) {
    await build('--output', `type=${type},dest=${at(`${type}.tar`)}`, '-t', 'named:1')
    const scheme = type === 'docker' ? 'docker-archive' : 'oci-archive'
    const seen = JSON.parse(await tool('skopeo', ['inspect', `${scheme}:${at(`${type}.tar`)}`])) as { Layers: string[] }
    t.equal(seen.Layers.length, 1, type)
  }
  await build('-q', '-o', 'type=docker', '-t', 'named:2')
  t.ok(
    (await it.engine.images()).some(({ tags }) => tags.includes('named:2')),
    'in the store',
  )
  const tar = await build('-q', '-o', 'type=docker,dest=-', '-t', 'named:2')
  t.match(tar.stdout, /manifest.json/)
  await build('-o', 'type=image,name=by-output:1')
  t.ok((await it.engine.images()).some(({ tags }) => tags.includes('by-output:1')))
  const cacheonly = await build('-o', 'type=cacheonly')
  t.match(cacheonly.stderr, /CACHED/)
  await build('--iidfile', at('id'), '--metadata-file', at('meta'), '-t', 'named:3', '-q')
  t.match(JSON.parse(readFileSync(at('meta'), 'utf8')), {
    'containerimage.config.digest': readFileSync(at('id'), 'utf8'),
    'image.name': /named:3/,
  })
  for (const [output, message] of [
    ['type=local', /dest is required/],
    ['type=what', /unsupported output type/],
    ['dest=x', /type is required/],
  ] as const) {
    t.match((await jubako.run(['build', '-o', output, '-'], { input })).stderr, message, output)
  }
})

t.test('a full disk in RUN and COPY', async (t) => {
  const place = folder(t)
  await tool('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', place])
  t.teardown(() => tool('umount', ['-l', place]))
  mkdirSync(join(place, 'big'))
  const source = folder(t)
  writeFileSync(join(source, 'file'), Buffer.alloc(40 << 20))
  chmodSync(source, 0o755)
  const { Engine } = await import('../../src/engine/engine.js')
  const { busyboxImage } = await import('../fixtures/images.js')
  await using engine = await Engine.open({ root: join(place, 'root'), runRoot: join(place, 'run') })
  const [{ imageId } = { imageId: '' }] = await engine.load((await busyboxImage()).layout)
  await engine.tag(imageId, 'base')
  await engine.build({ dockerfileText: 'FROM base\nRUN true' })
  const leaks = watchLeaks({
    roots: [join(place, 'root'), join(place, 'run')],
    mayAppear: /\/(bin|trash|events|build\/(uses|steps|layers))(\/|$)/,
  })
  const used = async () => Number((await tool('df', ['-k', '--output=used', place])).split('\n')[1])
  const before = await used()
  for (const [text, message] of [
    ['FROM base\nRUN dd if=/dev/zero of=/fill bs=1M count=60', /exit code: 1/],
    ['FROM base\nCOPY file /file', /ENOSPC|disk is full|No space left/],
  ] as const) {
    await t.rejects(
      engine.build({ dockerfileText: text, context: source, tags: ['full'] }),
      { message, location: { line: 2 } },
      text,
    )
    t.ok((await used()) < before + 2000, 'what was written is gone')
  }
  t.notOk((await engine.images()).some(({ tags }) => tags.includes('full:latest')))
  await leaks.check()
  t.ok((await engine.build({ dockerfileText: 'FROM base\nRUN echo > /fits' })).imageId)
})
