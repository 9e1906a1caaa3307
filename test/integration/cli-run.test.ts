// lanes: host
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { cli, result, Terminal } from '../helpers/cli.js'
import { testEngine } from '../helpers/engine.js'

const ID = /^[0-9a-f]{64}\n$/

t.test('jubako run', async (t) => {
  const it = await testEngine(t)
  const jubako = cli(it)
  const run = (...more: string[]) => jubako.run(['run', '--rm', '--network', 'none', ...more])
  const sh = (script: string, ...flags: string[]) => run(...flags, it.image, 'sh', '-c', script)
  const files = mkdtempSync(join(tmpdir(), 'jubako-cli-'))
  t.teardown(() => rmSync(files, { recursive: true, force: true }))
  chmodSync(files, 0o755)
  const file = (name: string, text: string) => {
    writeFileSync(join(files, name), text)
    return join(files, name)
  }

  await t.test('output, errors and exit codes', async (t) => {
    t.strictSame(await sh('echo out; echo err >&2; exit 7'), { code: 7, stdout: 'out\n', stderr: 'err\n' })
    t.equal((await sh('kill -9 $$; sleep 9', '--init')).code, 137)
    const cases: [code: number, argv: string[], stderr: RegExp][] = [
      [127, [it.image, 'nosuch'], /^jubako: .*nosuch/],
      [126, [it.image, '/etc/passwd'], /^jubako: .*\/etc\/passwd/],
      [126, [it.image, '/etc'], /^jubako: .*\/etc/],
      [125, ['-u', 'nobody-here', it.image, 'true'], /nobody-here/],
      [
        125,
        ['--nosuch', it.image, 'true'],
        /^jubako: unknown flag: --nosuch\n\nUsage: {2}jubako run .*\n\nRun 'jubako run --help'/,
      ],
      [125, ['-m', '1m', it.image, 'true'], /^jubako: Minimum memory limit allowed is 6MB/],
      [125, ['-m', '9x', it.image, 'true'], /"9x" for "-m, --memory" flag/],
      [125, ['--pull', 'never', 'nosuch-image', 'true'], /^jubako: No such image: nosuch-image:latest\n/],
      [125, ['BAD', 'true'], /^jubako: invalid reference format: repository name .* must be lowercase/],
      [125, ['--name', '-x', it.image, 'true'], /^jubako: Invalid container name \(-x\)/],
      [125, ['--mount', 'type=bind,src=/nonexistent-dir,dst=/m', it.image, 'true'], /\/nonexistent-dir/],
      [125, ['--env-file', '/nonexistent-file', it.image, 'true'], /^jubako: .*\/nonexistent-file/],
      [125, ['--cap-add', 'nosuch', it.image, 'true'], /^jubako: invalid CapAdd: unknown capability: "CAP_NOSUCH"/],
      [1, ['-it', it.image, 'true'], /^jubako: the input device is not a TTY/],
      [1, [], /^jubako: 'jubako run' requires at least 1 argument/],
    ]
    for (const [code, argv, stderr] of cases) {
      const got = await run(...argv)
      t.equal(got.code, code, argv.join(' '))
      t.match(got.stderr, stderr)
      t.notMatch(got.stderr, /^ {4}at /m, 'no stack')
      t.equal(got.stdout, '')
    }
    t.equal((await jubako.run(['ps', '-aq'])).stdout, '', 'nothing is left behind')
    t.equal((await jubako.run(['run', '--name', 'kept', '--network', 'none', it.image, 'nosuch'])).code, 127)
    t.equal((await jubako.run(['ps', '-a', '--format', '{{.Names}} {{.State}}'])).stdout, 'kept created\n')
    t.equal((await jubako.run(['rm', 'kept'])).code, 0)
  })

  await t.test('every byte of standard input and output', async (t) => {
    const data = randomBytes(3_000_000)
    const { code, stdout } = await jubako.run(['run', '--rm', '-i', '--network', 'none', it.image, 'cat'], {
      input: data,
    })
    t.equal(code, 0)
    t.ok(Buffer.from(stdout, 'latin1').equals(data))
    t.equal((await run(it.image, 'cat')).stdout, '', 'without -i there is no input')
    t.equal((await sh('echo out; echo err >&2', '-a', 'stderr')).stdout, '')
  })

  await t.test('flags reach the container', async (t) => {
    const env = file('env', '# no\nFILE=1 2\nHERE\nBOTH=file\n')
    const labels = file('labels', 'a=1\nb=2\n')
    const shown = await jubako.run(
      // biome-ignore format: one flag a line would hide what is asked
      ['run', '--rm', '--network=none', '-hbox', '-w', '/tmp', '-eA=1', '--env-file', env, '-e', 'BOTH=flag', '-e', 'GONE',
        '-u', '5:6', '--ulimit', 'nofile=64:128', '--tmpfs', '/t:size=1m', '-v', `${files}:/m:ro`, '--read-only',
        '--entrypoint', 'sh', it.image, '-c',
        'hostname; pwd; echo "$A,$FILE,$HERE,$BOTH"; env | grep GONE || echo unset; id -u; id -g; ulimit -n; ulimit -Hn; cat /m/labels; touch /x'],
      { env: { HERE: 'client' } },
    )
    t.equal(shown.stdout, 'box\n/tmp\n1,1 2,client,flag\nunset\n5\n6\n64\n128\na=1\nb=2\n')
    t.match(shown.stderr, /Read-only file system/)
    const idFile = join(files, 'id')
    const created = await jubako.run([
      'create',
      '--cidfile',
      idFile,
      '--label-file',
      labels,
      '-l',
      'b=3',
      it.image,
      'true',
    ])
    t.match(created.stdout, ID)
    t.equal(readFileSync(idFile, 'utf8'), created.stdout.trim())
    const id = created.stdout.trim()
    t.equal((await jubako.run(['inspect', '-f', '{{json .Config.Labels}}', id])).stdout, '{"a":"1","b":"3"}\n')
    t.match(await run('--cidfile', idFile, it.image, 'true'), { code: 125, stderr: /container ID file found/ })
    await jubako.run(['rm', id])
    rmSync(idFile)
    t.equal((await run('--cidfile', idFile, '--pull', 'never', 'nosuch', 'true')).code, 125)
    t.notOk(existsSync(idFile), 'no empty file of a container that was not made')
  })

  await t.test('signals go to the process', async (t) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR1'] as const) {
      const script = `trap 'echo got; exit 4' ${signal.slice(3)}; echo ready; while :; do sleep 0.1; done`
      const child = jubako.start(['run', '--rm', '--network', 'none', it.image, 'sh', '-c', script])
      const ended = result(child)
      child.stdout.once('data', () => child.kill(signal))
      t.match(await ended, { code: 4, stdout: 'ready\ngot\n' }, signal)
    }
  })

  await t.test('a reader that leaves ends the command quietly', async (t) => {
    const child = jubako.start(['run', '--rm', '--network', 'none', it.image, 'yes'])
    child.stdout.once('data', () => child.stdout.destroy())
    const stderr: Buffer[] = []
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    const code = await new Promise((resolve) => child.on('exit', resolve))
    t.equal(code, 141)
    t.equal(Buffer.concat(stderr).toString(), '')
    await jubako.run(['rm', '-f', ...(await jubako.run(['ps', '-q'])).stdout.trim().split('\n')])
  })

  await t.test('a terminal', async (t) => {
    const shell = `${jubako.shell} run -it --rm --network none ${it.image} sh`
    const terminal = new Terminal(`${shell}; echo code $?; stty -a`)
    t.teardown(() => terminal.kill())
    await terminal.sees(/# /)
    await terminal.type('stty size; tty\r', /30 100\r\n\/dev\/pts\/0\r\n/)
    await terminal.type("sh -c 'echo s; exec sleep 100'\r", /\ns\r\n/)
    await terminal.type('\x03', /\^C[\s\S]*# /)
    await terminal.type("printf 'a\\nb'; stty -onlcr; printf 'c\\nd'; exit 9\r", /a\r\nbc\nd/)
    t.match(await terminal.sees(/code 9\r\n[\s\S]*[^-]echo /), /[^-]icanon/, 'the terminal is as it was')
  })

  await t.test('a window that changes its size', async (t) => {
    const shell = `${jubako.shell} run -it --rm --network none ${it.image} sh`
    const terminal = new Terminal(`(sleep 2; stty rows 44 cols 111 < /dev/tty) & ${shell}`)
    t.teardown(() => terminal.kill())
    await terminal.sees(/# /)
    t.match(await terminal.type('until stty size | grep 111; do sleep 0.1; done\r', /44 111\r\n/), '44 111')
    await terminal.type('exit\r', /exit/)
    t.equal((await terminal.ended).code, 0)
  })

  await t.test('leaving and coming back', async (t) => {
    const on = (command: string) => {
      const terminal = new Terminal(`trap : INT; ${jubako.shell} ${command}; echo code $?; stty -a`)
      t.teardown(() => terminal.kill())
      return terminal
    }
    const first = on(`run -it --name left --network none ${it.image} sh`)
    await first.sees(/# /)
    await first.type('\x10\x11', /code 0\r\n[\s\S]*[^-]icanon/)
    t.equal((await jubako.run(['ps', '--format', '{{.Names}} {{.State}}'])).stdout, 'left running\n')
    // The prompt is drawn anew for who comes later, and all that are attached see the same.
    const [again, other] = [on('attach --detach-keys ctrl-x,y left'), on('start -ai left')]
    const watcher = on('attach --no-stdin left')
    await Promise.all([again.sees(/# /), other.sees(/# /), watcher.sees(/# /)])
    await again.type('echo $((40 + 2))\r', /42\r\n/)
    await Promise.all([other.sees(/42\r\n/), watcher.sees(/42\r+\n/)])
    await again.type('\x18y', /read escape sequence\r\ncode 1\r\n[\s\S]*[^-]icanon/)
    const inner = on('exec -it --detach-keys a left sh')
    await inner.sees(/# /)
    await inner.type('a', /read escape sequence\r\ncode 1\r\n/)
    // Keys that are no keys are refused before anything is done.
    for (const [code, ...argv] of [
      [125, 'run', '--detach-keys', 'enter', it.image, 'true'],
      [1, 'exec', '--detach-keys', 'ctrl-1', 'left', 'true'],
    ] as [number, ...string[]][]) {
      t.match(await jubako.run(argv), { code, stderr: /^jubako: invalid detach keys \(/ })
    }
    await watcher.type('echo not sent\r\x03', /code 130\r\n/)
    // `exit` in an attached shell ends the container, and everyone's command with its code.
    await other.type('exit 6\r', /code 6\r\n[\s\S]*[^-]icanon/)
    t.notMatch(other.text, 'not sent')
    t.equal((await jubako.run(['ps', '-a', '--format', '{{.Names}} {{.State}}'])).stdout, 'left exited\n')
    t.match(await jubako.run(['rm', 'left']), { code: 0, stdout: 'left\n' })
  })

  await t.test('ctrl-c and signals where there is no terminal inside', async (t) => {
    const script = 'trap "echo INT" INT; trap "exit 5" TERM; while :; do sleep 0.1; echo .; done'
    await jubako.run(['run', '-d', '--name', 'deaf', '--network', 'none', it.image, 'sh', '-c', script])
    const off = new Terminal(`trap : INT; ${jubako.shell} attach --sig-proxy=false deaf; echo code $?`)
    t.teardown(() => off.kill())
    await off.sees(/\./)
    await off.type('\x03', /code 130\r\n/)
    t.notMatch(off.text, 'INT')
    const on = new Terminal(`trap : INT; ${jubako.shell} attach deaf; echo code $?`)
    t.teardown(() => on.kill())
    await on.sees(/\./)
    await on.type('\x03', /INT/)
    await jubako.run(['kill', '-s', 'TERM', 'deaf'])
    await on.sees(/code 5\r\n/)
    await jubako.run(['rm', 'deaf'])
  })

  await it.checkLeaks()
})
