// lanes: host
// docs/tour.md, line by line: with jubako, and with the unmodified docker command; docs/registry.md with jubako. What is shown is
// what comes out. The README's programs run as they are.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transform } from 'esbuild'
import t, { type Test } from 'tap'
import { command } from '../../src/cli/commands/registry-serve.js'
import { dockerClients } from '../fixtures/docker-clients.js'
import { busyboxImage } from '../fixtures/images.js'
import { TAG } from '../fixtures/layout.js'
import { CHECKOUT } from '../helpers/checkout.js'
import { testEngine } from '../helpers/engine.js'
import { TOOL_ENV, tool } from '../helpers/processes.js'
import { matches, readTour, type TourStep } from '../helpers/tour.js'

const JUBAKO = join(CHECKOUT, 'bin/jubako')

/** Types into a terminal (script(1)): `^P` is Ctrl-P; after a line a line feed. */
const TYPIST = `
import { spawn } from 'node:child_process'
const [command, ...lines] = JSON.parse(process.argv[1])
const child = spawn('script', ['-qefc', 'stty rows 30 cols 100; ' + command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
let text = ''
let quiet
child.stdin.on('error', () => {})
const type = () => {
  const shown = text.replace(/\\x1b\\[[0-9;]*[A-Za-z]/g, '')
  if (!shown.endsWith('/ # ') || lines.length === 0) return
  const line = lines.shift()
  const keys = line.replace(/\\^([A-Z])/g, (_, letter) => String.fromCharCode(letter.charCodeAt(0) - 64))
  child.stdin.write(keys === line ? line + '\\n' : keys)
}
child.stdout.on('data', (chunk) => {
  text += chunk.toString('latin1')
  clearTimeout(quiet)
  quiet = setTimeout(type, 400)
})
// A shell that is attached to says its prompt again when it is asked to.
setTimeout(() => { if (text === '') child.stdin.write('\\n') }, 8000).unref()
child.on('close', (code) => { process.stdout.write(text.replace(/\\x1b\\[[0-9;]*[A-Za-z]/g, '')); process.exitCode = code ?? 1 })
`

/** One shell does all of it, as a reader's would; what each command prints comes between marks. */
function script(steps: readonly TourStep[], translate: (command: string) => string, work: string): string {
  const lines = ['set -m', `cd ${work}/tour`]
  steps.forEach((step, at) => {
    const command = translate(step.command)
    lines.push(`printf '\\001%s\\n' ${at}`)
    if (step.typed !== undefined) {
      writeFileSync(join(work, `typed-${at}`), JSON.stringify([command, ...step.typed]))
      lines.push(`node ${work}/typist.mjs "$(cat ${work}/typed-${at})" 2>&1`)
    } else lines.push(`exec 3>&1 4>&2 2>&1`, command, `exec 1>&3 2>&4`)
  })
  lines.push(`printf '\\001%s\\n' end`)
  return `${lines.join('\n')}\n`
}

async function walk(t: Test, file: string, docker?: { name: string; path: string }): Promise<void> {
  const name = docker?.name ?? 'jubako'
  const work = mkdtempSync(join(tmpdir(), 'jubako-tour-'))
  t.teardown(() => rmSync(work, { recursive: true, force: true }))
  mkdirSync(join(work, 'tour'))
  mkdirSync(join(work, 'bin'))
  writeFileSync(join(work, 'bin/jubako'), `#!/bin/sh\nexec ${JUBAKO} "$@"\n`, { mode: 0o755 })
  if (docker !== undefined)
    writeFileSync(join(work, 'bin/docker'), `#!/bin/sh\nexec ${docker.path} "$@"\n`, { mode: 0o755 })
  writeFileSync(join(work, 'typist.mjs'), TYPIST.replace('process.argv[1]', 'process.argv[2]'))
  // What the tour has from Docker Hub comes from a registry of ours.
  const mirror = '127.0.0.1:5001'
  writeFileSync(join(work, 'config.json'), JSON.stringify({ 'registry-mirrors': [`http://${mirror}`] }))

  mkdirSync(join(work, 'tour/node_modules'))
  symlinkSync(CHECKOUT, join(work, 'tour/node_modules/jubako'))

  const steps = readTour(readFileSync(join(CHECKOUT, 'docs', file), 'utf8'))
  t.ok(steps.length > 30, `${steps.length} commands`)
  const translate = (command: string): string => {
    if (docker === undefined || /\bjubako registry\b/.test(command)) return command
    return command
      .replace(/JUBAKO_ROOT=\S+ JUBAKO_RUN_ROOT=\S+ jubako/g, 'jubako -H "unix://$OTHER"')
      .replace(/\bjubako\b/g, 'docker')
  }
  writeFileSync(join(work, 'tour.sh'), script(steps, translate, work))
  const { layout } = await busyboxImage()
  const wait = (condition: string) =>
    `for i in $(seq 200); do ${condition} && break; sleep 0.1; done; ${condition} || { echo "never: ${condition}"; exit 7; }`
  const serve =
    docker === undefined
      ? ''
      : `${JUBAKO} serve -H unix://${work}/docker.sock >/dev/null & servers="$servers $!"
${JUBAKO} --root ${work}/tour/other --run-root ${work}/tour/other-run serve -H unix://${work}/other.sock >/dev/null & servers="$servers $!"
${wait(`test -S ${work}/docker.sock`)}
${wait(`test -S ${work}/other.sock`)}`
  const all = `ip link set lo up
${JUBAKO} registry serve --root ${work}/mirror --addr ${mirror} --access-log none >${work}/mirror.said & servers="$!"
trap 'kill $servers; wait $servers' EXIT
${wait(`grep -q listening ${work}/mirror.said`)}
skopeo copy -q --dest-tls-verify=false oci:${layout}:${TAG} docker://${mirror}/library/busybox:latest || exit 8
${serve}
bash ${work}/tour.sh`
  const said = await new Promise<string>((resolve) => {
    execFile(
      'unshare',
      ['-n', 'bash', '-c', all],
      {
        env: {
          ...TOOL_ENV,
          PATH: `${work}/bin:${TOOL_ENV.PATH}`,
          HOME: work,
          DOCKER_CONFIG: join(work, 'docker-config'),
          REGISTRY_AUTH_FILE: join(work, 'auth.json'),
          DOCKER_BUILDKIT: '0',
          OTHER: join(work, 'other.sock'),
          DOCKER_HOST: `unix://${work}/docker.sock`,
          JUBAKO_ROOT: join(work, 'root'),
          JUBAKO_RUN_ROOT: join(work, 'run'),
          JUBAKO_CONFIG: join(work, 'config.json'),
          JUBAKO_NETWORK: '',
          TERM: 'dumb',
        },
        maxBuffer: 1 << 26,
        timeout: 240_000,
      },
      (_, stdout, stderr) => resolve(`${stdout}${stderr}`),
    )
  })
  const parts = new Map(
    said.split('\x01').map((part): [string, string] => {
      const end = part.indexOf('\n')
      return [part.slice(0, end), part.slice(end + 1)]
    }),
  )
  t.ok(parts.has('end'), `${name}: it came to its end: ${said.slice(-1500)}`)
  steps.forEach((step, at) => {
    const actual = parts.get(String(at)) ?? '(not run)'
    if (matches(step.output, actual)) t.pass(step.command)
    else t.equal(actual, step.output, `${name}, line ${step.line}: ${translate(step.command)}`)
  })
}

t.test('with jubako', (t) => walk(t, 'tour.md'))

t.test('with docker', async (t) => {
  const client = (await dockerClients()).at(-1)!
  await walk(t, 'tour.md', client)
})

t.test('the page on the registry', async (t) => {
  const text = readFileSync(join(CHECKOUT, 'docs/registry.md'), 'utf8')
  for (const [, flag] of command.spec.flags) t.ok(text.includes(`--${flag}`), `--${flag} is explained`)
  await walk(t, 'registry.md')
})

t.test('the programs of the README', async (t) => {
  const { engine, root, runRoot, image } = await testEngine(t)
  await engine.tag(image, 'debian:12')
  const work = mkdtempSync(join(tmpdir(), 'jubako-readme-'))
  t.teardown(() => rmSync(work, { recursive: true, force: true }))
  mkdirSync(join(work, 'node_modules'))
  symlinkSync(CHECKOUT, join(work, 'node_modules/jubako'))
  const text = readFileSync(join(CHECKOUT, 'README.md'), 'utf8')
  const programs = [...text.matchAll(/^```[jt]s\n(.*?)^```/gms)].map(([, program = '']) => program)
  const said: string[] = []
  for (const program of programs) {
    const whole = program.startsWith('import') ? program : `import { Engine } from 'jubako'\n${program}`
    const here = whole.replace(/Engine\.open\(.*?\)/, `Engine.open(${JSON.stringify({ root, runRoot })})`)
    const { code } = await transform(here, { loader: 'ts', format: 'esm', target: 'node20' })
    writeFileSync(join(work, 'program.mjs'), code)
    said.push(await tool(process.execPath, [join(work, 'program.mjs')]))
  }
  t.strictSame(said, ['hi', '{ exitCode: 0, signal: null, oomKilled: false }\n'])
})
