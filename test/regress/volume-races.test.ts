// lanes: host
// Class P: a container swaps a directory of a volume or of a bind for a symbolic link while others mount below it
// (CVE-2021-30465, CVE-2019-19921, CVE-2023-2727 and the like, docker's volume-subpath, buildah's CVE-2024-1753).
// `npm run test:weakened` shows each part of it red.
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { MountOption } from '../../src/index.js'
import { runToEnd, type TestEngine, testEngine } from '../helpers/engine.js'
import { TOOL_ENV } from '../helpers/processes.js'

/** In the container: exchanges `x`, a directory, and `y`, a link out of the volume, without end (renameat2(2)). */
const RENAMEAT2 = process.arch === 'arm64' ? 276 : 316
const racer =
  'my ($x, $y) = qw(x y); for (;;) { for (@ARGV) { chdir $_; ' +
  `syscall(${RENAMEAT2}, -100, $x, -100, $y, 2) == 0 or die $! } }`
/** The host's perl, with what it loads. */
const perl = ['/usr', '/lib', '/lib64']
  .filter((path) => existsSync(path))
  .map((path): MountOption => ({ type: 'bind', source: path, target: path, readonly: true }))
const ROUNDS = 24

/** A directory of the host that no container may reach, and one that containers share. */
function places(t: Test) {
  const base = mkdtempSync(join(tmpdir(), 'jubako-race-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  const [canary, shared] = [join(base, 'canary'), join(base, 'shared')]
  for (const path of [canary, shared]) mkdirSync(path)
  writeFileSync(join(canary, 'secret'), 'secret')
  const look = () =>
    execFileSync('find', [canary, '-printf', '%P %i %y %m %U %s %T@ %l\n'], { encoding: 'utf8', env: TOOL_ENV })
  const before = [look(), mountsOfHost()]
  const untouched = (t: Test) => t.strictSame([look(), mountsOfHost()], before, 'the host is as it was')
  return { canary, shared, untouched }
}

const mountsOfHost = () => readFileSync('/proc/self/mountinfo', 'utf8').replaceAll(/^\d+ \d+ /gm, '')

/** A directory, and a link that leads out. */
function laid(place: string, canary: string): void {
  mkdirSync(join(place, 'x'))
  writeFileSync(join(place, 'x/own'), '')
  symlinkSync(canary, join(place, 'y'))
}

async function swapping(t: Test, { engine, image }: TestEngine, mounts: MountOption[], place: string) {
  const command = ['perl', '-e', racer, ...mounts.map(({ target }) => target)]
  const swapper = await engine.run(image, command, { mounts: [...perl, ...mounts] })
  const seen = new Set<boolean>()
  const both = () => seen.add(lstatSync(join(place, 'x')).isSymbolicLink()).size === 2
  const effective = () => {
    seen.clear()
    for (const end = Date.now() + 20_000; !both() && Date.now() < end; );
    t.equal(seen.size, 2, 'the directory comes and goes')
  }
  effective()
  return async () => {
    effective()
    await swapper.close()
  }
}

t.test('a link out of a volume, a bind or an image leads nowhere', async (t) => {
  const it = await testEngine(t)
  const { engine } = it
  const { canary, shared, untouched } = places(t)
  const volume = await engine.volumes.create({ name: 'race' })
  await engine.volumes.create({
    name: 'bound',
    options: { type: 'none', o: 'bind', device: join(shared, 'link') },
  })
  const writer = await engine.create(it.image, ['true'], {
    mounts: [
      { type: 'bind', source: shared, target: '/shared' },
      { type: 'volume', source: 'race', target: '/volume' },
    ],
  })
  const linked = await engine.run(it.image, ['ln', '-s', canary, '/link'], { detached: true })
  await linked.wait()
  const image = await linked.snapshot()
  for (const place of [volume.mountpoint, shared]) symlinkSync(canary, join(place, 'link'))
  const cases: Record<string, MountOption> = {
    'a subpath of a volume': { type: 'volume', source: 'race', target: '/m', subpath: 'link' },
    'a bind': { type: 'bind', source: join(shared, 'link'), target: '/m' },
    'a bind that makes its source': {
      type: 'bind',
      source: join(shared, 'link/new'),
      target: '/m',
      createSource: true,
    },
    "a bind below another's volume": { type: 'bind', source: join(volume.mountpoint, 'link'), target: '/m' },
    'a volume that is a bind': { type: 'volume', source: 'bound', target: '/m' },
  }
  for (const [what, mount] of Object.entries(cases)) {
    await t.rejects(engine.run(it.image, ['cat', '/m/secret'], { mounts: [mount] }), { message: /EXDEV/ }, what)
  }
  untouched(t)
  // In an image, and where something is mounted, a link means what it means to the container.
  const below = { type: 'volume', target: '/link/m' } as const
  const inside = await engine
    .run(image, ['ls', '-A', '/link', canary], { mounts: [below] })
    .catch((error: unknown) => error)
  t.match(inside, { message: /ELOOP|ENOENT|ENOTDIR/ }, 'a mount on a link of the image that leads to nothing')
  untouched(t)
  for (const container of [writer, linked]) await container.remove()
  await engine.snapshots.remove(image.key)
  await engine.volumes.prune({ all: true })
  await it.checkLeaks()
})

t.test('a directory that becomes a link while its path is walked, as a source', async (t) => {
  const it = await testEngine(t)
  const { engine } = it
  const { canary, shared, untouched } = places(t)
  const volume = await engine.volumes.create({ name: 'race' })
  for (const place of [volume.mountpoint, shared]) laid(place, canary)
  const mounts: MountOption[] = [
    { type: 'volume', source: 'race', target: '/v' },
    { type: 'bind', source: shared, target: '/s' },
  ]
  const stop = await swapping(t, it, mounts, shared)
  const sources: MountOption[] = [
    { type: 'volume', source: 'race', target: '/m', subpath: 'x' },
    { type: 'bind', source: join(shared, 'x'), target: '/m', createSource: true },
    { type: 'bind', source: join(volume.mountpoint, 'x'), target: '/m', createSource: true },
  ]
  let mounted = 0
  for (let i = 0; i < ROUNDS; i++) {
    try {
      const { stdout } = await runToEnd(it, ['ls', '/m'], { mounts: [sources[i % sources.length]!] })
      t.notMatch(stdout, /secret/)
      mounted++
    } catch (error) {
      t.match(error, { errno: /^(2|18|20|40|17)$/ }, String(error))
    }
  }
  t.comment(`${mounted} of ${ROUNDS} found the directory`)
  await stop()
  untouched(t)
  await engine.volumes.prune({ all: true })
  await it.checkLeaks()
})

t.test('and as a target: nothing is mounted, made or copied outside', async (t) => {
  const it = await testEngine(t)
  const { engine } = it
  const { canary, shared, untouched } = places(t)
  const volume = await engine.volumes.create({ name: 'race' })
  laid(volume.mountpoint, canary)
  mkdirSync(join(shared, 'given'))
  const stop = await swapping(t, it, [{ type: 'volume', source: 'race', target: '/v' }], volume.mountpoint)
  let mounted = 0
  for (let i = 0; i < ROUNDS; i++) {
    // What stands at the target is the first content of an empty volume: of the container, never of the host.
    const mounts: MountOption[] = [
      { type: 'volume', source: 'race', target: '/v' },
      { type: 'volume', source: `fresh${i}`, target: '/v/x' },
      { type: 'bind', source: join(shared, 'given'), target: '/v/x/made' },
    ]
    try {
      await runToEnd(it, ['true'], { mounts })
      mounted++
    } catch (error) {
      t.match(error, { errno: /^(2|18|20|40|17)$/ }, String(error))
    }
    const fresh = await engine.volumes.get(`fresh${i}`)
    t.notMatch(readdirSync(fresh.mountpoint), ['secret'])
  }
  t.comment(`${mounted} of ${ROUNDS} found the directory`)
  await stop()
  untouched(t)
  await engine.volumes.prune({ all: true })
  await it.checkLeaks()
})
