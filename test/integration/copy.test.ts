import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import type { Container } from '../../src/index.js'
import { directory, file, symlink, tar } from '../fixtures/tar.js'
import { cli } from '../helpers/cli.js'
import { testEngine } from '../helpers/engine.js'
import { collectBytes, tarNames } from '../helpers/tar-names.js'

const archive = (...entries: Parameters<typeof tar>) => Readable.from([tar(...entries)])

function scratch(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'jubako-copy-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function read(container: Container, path: string): Promise<string> {
  const { stream } = await container.copyOut(path)
  return tarNames(await collectBytes(stream)).join(' ')
}

t.test('files go in and out of a container that runs and of one that does not', async (t) => {
  const it = await testEngine(t)
  const place = scratch(t)
  const volume = join(place, 'volume')
  mkdirSync(volume)
  const container = await it.engine.create(it.image, ['sleep', '100'], {
    mounts: [{ type: 'bind', source: volume, target: '/data' }],
  })
  for (const state of ['created', 'running', 'paused', 'exited']) {
    if (state === 'running') await container.start()
    if (state === 'paused') await container.pause()
    if (state === 'exited') await container.unpause().then(() => container.stop({ timeout: 0 }))
    t.equal((await container.summary()).state, state)
    const name = `in-${state}`
    await container.copyIn(
      '/tmp',
      archive(directory(name), file(`${name}/f`, 'text', { uid: 7, gid: 8 }), symlink(`${name}/l`, 'f')),
    )
    const stat = await container.stat(`/tmp/${name}/f`)
    t.match(stat, { name: 'f', size: 4, mode: 0o100644, mtimeNano: 1_700_000_000_000_000_000n, linkTarget: '' })
    t.equal((await container.stat(`/tmp/${name}/l`)).linkTarget, `/tmp/${name}/f`)
    t.equal(await read(container, `/tmp/${name}`), `${name}/ ${name}/f ${name}/l`)
    t.equal(await read(container, `/tmp/${name}/.`), './ ./f ./l')
    // What is mounted in it is there in every state.
    await container.copyIn('/data', archive(file(state)))
    t.equal(readFileSync(join(volume, state), 'utf8'), state)
    await t.rejects(container.copyIn('/missing', archive(file('x'))), {
      code: 'ERR_JUBAKO_NOT_FOUND',
      message: `Could not find the file /missing in container ${container.name}`,
    })
    await t.rejects(container.copyIn(`/tmp/${name}/f`, archive(file('x'))), {
      message: 'extraction point is not a directory',
    })
    await t.rejects(container.stat('/missing'), { code: 'ERR_JUBAKO_NOT_FOUND' })
    await t.rejects(container.copyIn('/tmp', archive(file(name))), { message: /cannot overwrite directory/ })
    await t.rejects(container.copyIn(`/tmp/${name}`, archive(directory('f'))), {
      message: /cannot overwrite non-directory/,
    })
  }
  t.match(await container.changes(), [
    { kind: 'modified', path: '/tmp' },
    { kind: 'added', path: '/tmp/in-created' },
  ])
  const names = tarNames(await collectBytes(await container.export()))
  t.ok(names.includes('tmp/in-running/f'))
  t.notOk(names.includes('data/running'), 'what is mounted is not exported')
  await container.remove()
  await it.checkLeaks()
})

t.test('a read-only root stays as it is', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.create(it.image, ['sleep', '100'], { readonlyRootfs: true })
  for (const start of [false, true]) {
    if (start) await container.start()
    await t.rejects(container.copyIn('/tmp', archive(file('x'))), { message: 'container rootfs is marked read-only' })
    t.equal(await read(container, '/etc/passwd'), 'passwd')
  }
  await container.remove({ force: true })
  await it.checkLeaks()
})

t.test('damaged archives and streams that break off', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.create(it.image, ['true'])
  await t.rejects(container.copyIn('/tmp', Readable.from([tar(file('x')).subarray(0, 700)])), {
    code: 'ERR_JUBAKO_INTEGRITY',
  })
  const breaks = new Readable({ read() {} })
  breaks.push(tar(file('y', 'y'.repeat(5000))).subarray(0, 1000))
  const copying = container.copyIn('/tmp', breaks)
  breaks.destroy(new Error('the source broke'))
  await t.rejects(copying, { message: 'the source broke' })
  // Whoever leaves early ends the worker.
  const { stream } = await container.copyOut('/bin')
  await new Promise((resolve) => stream.once('data', resolve))
  stream.destroy()
  await container.remove()
  await it.checkLeaks()
})

t.test('cp, as docker names and refuses things', async (t) => {
  const it = await testEngine(t)
  const place = scratch(t)
  const run = async (...arguments_: string[]) => {
    const { code, stderr } = await cli(it).run(['cp', ...arguments_])
    return code === 0 ? '' : stderr.trim()
  }
  await it.engine.run(it.image, ['sleep', '100'], { name: 'box', detached: true })
  const box = await it.engine.container('box')
  mkdirSync(join(place, 'd'))
  writeFileSync(join(place, 'd/a'), 'a')
  writeFileSync(join(place, 'f'), 'f')
  symlinkSync('f', join(place, 'l'))
  t.equal(await run(`${place}/d`, 'box:/tmp'), '')
  t.equal(await run(`${place}/d`, 'box:/tmp/new'), '')
  t.equal(await run(`${place}/d/.`, 'box:/tmp/contents'), '')
  t.equal(await run(`${place}/f`, 'box:/tmp/renamed'), '')
  t.equal(await run(`${place}/l`, 'box:/tmp'), '')
  t.equal(await run('-L', `${place}/l`, 'box:/tmp/followed'), '')
  t.equal(await read(box, '/tmp/.'), './ ./contents/ ./contents/a ./d/ ./d/a ./followed ./l ./new/ ./new/a ./renamed')
  t.equal((await box.stat('/tmp/l')).linkTarget, '/tmp/f')
  t.match(await run(`${place}/none`, 'box:/tmp'), `lstat ${place}/none: no such file or directory`)
  t.match(await run(`${place}/d`, 'box:/tmp/renamed'), 'cannot copy directory')
  t.match(await run(`${place}/f`, 'box:/none/'), 'no such directory')
  t.match(await run(`${place}/f`, 'box:/none/x'), 'Could not find the file /none in container box')
  t.match(await run('box:/none', place), 'Could not find the file /none in container box')
  t.match(await run('box:/etc/passwd', `${place}/none/x`), 'invalid output path: directory')
  t.match(await run('box:/tmp/d', `${place}/f`), 'cannot copy directory')
  t.match(await run('box:/a', 'box:/b'), 'copying between containers is not supported')
  t.match(await run('/a', '/b'), 'must specify at least one container source')
  t.equal(await run('box:/tmp', `${place}/out`), '')
  t.equal(readFileSync(join(place, 'out/contents/a'), 'utf8'), 'a')
  t.equal(readlinkSync(join(place, 'out/l')), 'f')
  t.equal(await run('box:/tmp/.', `${place}/d`), '')
  t.ok(lstatSync(join(place, 'd/new')).isDirectory())
  const piped = await cli(it).run(['cp', '-', 'box:/tmp/new'], { input: tar(file('piped')) })
  t.equal(piped.code, 0, piped.stderr)
  const back = await cli(it).run(['cp', 'box:/tmp/new', '-'])
  t.same(tarNames(Buffer.from(back.stdout, 'latin1')), ['new/', 'new/a', 'new/piped'])
  await box.remove({ force: true })
  await it.checkLeaks()
})
