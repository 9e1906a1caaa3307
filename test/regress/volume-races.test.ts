// lanes: host
// Class P: a container swaps a directory of a volume or of a bind for a symbolic link while others mount below it
// (CVE-2021-30465, CVE-2023-2727 and the like, and docker's volume-subpath).
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { collect, runToEnd, testEngine } from '../helpers/engine.js'

/** In the container: exchanges `x`, a directory, and `y`, a link out of the volume, without end. */
const racer = 'while :; do mv -T x z && mv -T y x && mv -T x y && mv -T z x; done'

t.test('a link out of a volume or a bind leads nowhere', async (t) => {
  const it = await testEngine(t)
  const { engine } = it
  const base = mkdtempSync(join(tmpdir(), 'jubako-race-'))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  const [canary, shared] = [join(base, 'canary'), join(base, 'shared')]
  for (const path of [canary, shared]) mkdirSync(path)
  writeFileSync(join(canary, 'secret'), 'secret')
  const volume = await engine.volumes.create({ name: 'race' })
  const still = [
    [{ type: 'volume', source: 'race', target: '/m', subpath: 'link' } as const, volume.mountpoint],
    [{ type: 'bind', source: join(shared, 'link'), target: '/m' } as const, shared],
    [{ type: 'bind', source: join(shared, 'link/new'), target: '/m', createSource: true } as const, shared],
  ] as const
  const holder = await engine.create(it.image, ['true'], {
    mounts: [{ type: 'bind', source: shared, target: '/shared' }],
  })
  for (const place of [volume.mountpoint, shared]) symlinkSync(canary, join(place, 'link'))
  for (const [mount] of still) {
    await t.rejects(
      engine.run(it.image, ['cat', '/m/secret'], { mounts: [mount] }),
      { message: /EXDEV/ },
      JSON.stringify(mount),
    )
  }
  await holder.remove()

  for (const place of [volume.mountpoint, shared]) {
    mkdirSync(join(place, 'x'))
    writeFileSync(join(place, 'x/own'), '')
    symlinkSync(canary, join(place, 'y'))
  }
  const swapper = await engine.run(it.image, ['sh', '-c', `(cd /v; ${racer}) & cd /s; ${racer}`], {
    mounts: [
      { type: 'volume', source: 'race', target: '/v' },
      { type: 'bind', source: shared, target: '/s' },
    ],
  })
  void collect(swapper.stderr).catch(() => '')
  let mounted = 0
  for (let i = 0; i < 40; i++) {
    const mount =
      i % 2 === 0
        ? ({ type: 'volume', source: 'race', target: '/m', subpath: 'x' } as const)
        : ({ type: 'bind', source: join(shared, 'x'), target: '/m', createSource: true } as const)
    try {
      const { stdout } = await runToEnd(it, ['ls', '/m'], { mounts: [mount] })
      t.notMatch(stdout, /secret/)
      mounted++
    } catch (error) {
      t.match(error, { errno: /^(2|18|20|40|17)$/ }, String(error))
    }
  }
  t.comment(`${mounted} of 40 found the directory`)
  await swapper.close()
  await engine.volumes.prune({ all: true })
  await it.checkLeaks()
})
