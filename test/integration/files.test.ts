// lanes: host
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Files } from '../../src/index.js'
import { collect, runToEnd, testEngine } from '../helpers/engine.js'

/** What holds for the files of everything. */
async function exercise(t: Test, files: Files, base: string): Promise<void> {
  await files.write(`${base}/new/deep/text`, 'grüße\n', { parents: true, mode: 0o640, uid: 7, gid: 8 })
  t.equal(await files.read(`${base}/new/deep/text`, 'utf8'), 'grüße\n')
  const big = Buffer.alloc(3 << 20, 'abcdefg')
  const long = 'n'.repeat(200)
  await files.write(`${base}/new/${long}`, big)
  t.ok((await files.read(`${base}/new/${long}`)).equals(big))
  await files.write(`${base}/new/${long}`, new Uint8Array([0, 255]))
  t.same([...(await files.read(`${base}/new/${long}`))], [0, 255], 'in place of what was there')
  const list = await files.list(`${base}/new`)
  t.match(list, [
    { name: 'deep', mode: /^16877$/ },
    { name: long, size: 2, mode: /^33188$/ },
  ])
  t.ok(Math.abs(Date.now() - Number(list[1]!.mtimeNano / 1_000_000n)) < 600_000)
  t.match(await files.list(`${base}/new/deep`), [{ name: 'text', mode: 0o100640 }])
  await t.rejects(files.read(`${base}/none`), {
    code: 'ERR_JUBAKO_NOT_FOUND',
    message: /Could not find the file .*none/,
  })
  await t.rejects(files.list(`${base}/none`), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await t.rejects(files.write(`${base}/none/x`, ''), { code: 'ERR_JUBAKO_NOT_FOUND' })
  await t.rejects(files.read(`${base}/new`), { message: /EISDIR/ })
  await t.rejects(files.list(`${base}/new/deep/text`), { message: /ENOTDIR/ })
  await t.rejects(files.write(`${base}/new/`, ''), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' })
}

t.test('files in and out of a container that does not run, and of one that does', async (t) => {
  const it = await testEngine(t)
  const container = await it.engine.create(it.image, ['sleep', '600'])
  await exercise(t, container.files, '/tmp')
  t.match(await container.files.read('/etc/passwd', 'utf8'), /^root:/, 'of the image')
  await container.start()
  t.match(await container.files.read('/tmp/new/deep/text', 'utf8'), /^gr/, 'what was written before it started')
  await exercise(t, container.files, '/tmp')
  const shown = await container.exec([
    'sh',
    '-c',
    'stat -c "%u:%g %a" /tmp/new/deep/text; mkfifo /tmp/fifo; ln -s / /tmp/up',
  ])
  const [out] = await Promise.all([collect(shown.stdout), shown.wait()])
  t.equal(out, '7:8 640\n')
  await t.rejects(container.files.read('/tmp/fifo'), { message: /EINVAL/ }, 'nobody waits for a pipe')
  t.match(await container.files.read('/tmp/up/etc/passwd', 'utf8'), /^root:/, 'links lead inside')
  await container.remove({ force: true })
  const locked = await it.engine.create(it.image, ['true'], { readonlyRootfs: true })
  await t.rejects(locked.files.write('/tmp/x', ''), { code: 'ERR_JUBAKO_STATE' })
  await locked.remove()
  await it.checkLeaks()
})

t.test('files of a volume that no container has', async (t) => {
  const it = await testEngine(t)
  {
    await using volume = await it.engine.volumes.create({ name: 'plain' })
    await exercise(t, volume.files, '')
    const mounts = [{ type: 'volume', source: 'plain', target: '/v' } as const]
    t.equal((await runToEnd(it, ['cat', '/v/new/deep/text'], { mounts })).stdout, 'grüße\n')
    const secret = mkdtempSync(join(tmpdir(), 'jubako-files-'))
    t.teardown(() => rmSync(secret, { recursive: true, force: true }))
    writeFileSync(join(secret, 'secret'), 'secret')
    symlinkSync(secret, join(volume.mountpoint, 'link'))
    symlinkSync(join(secret, 'secret'), join(volume.mountpoint, 'file'))
    await t.rejects(volume.files.read('link/secret'), { code: 'ERR_JUBAKO_NOT_FOUND' }, 'a link leads nowhere')
    await t.rejects(volume.files.list('link'), { code: 'ERR_JUBAKO_NOT_FOUND' })
    await volume.files.write('file', 'mine')
    t.equal(readFileSync(join(secret, 'secret'), 'utf8'), 'secret', 'a link is replaced, not followed')
    t.equal(readFileSync(join(volume.mountpoint, 'file'), 'utf8'), 'mine')
    mkdirSync(join(secret, 'bound'))
    const options = { type: 'none', device: join(secret, 'bound'), o: 'bind' }
    await using bound = await it.engine.volumes.create({ name: 'bound', options })
    await bound.files.write('f', 'there')
    t.equal(readFileSync(join(secret, 'bound/f'), 'utf8'), 'there')
    await using ram = await it.engine.volumes.create({ name: 'ram', options: { type: 'tmpfs', device: 'tmpfs' } })
    await t.rejects(ram.files.list('/'), { code: 'ERR_JUBAKO_UNSUPPORTED' })
  }
  t.strictSame(await it.engine.volumes.list(), [], 'they went with their scope')
  await it.checkLeaks()
})
