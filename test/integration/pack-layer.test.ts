// lanes: host
import { createHash } from 'node:crypto'
import {
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type PackLayerOptions, packLayer, packTree, unpackLayer } from '../../src/archive/index.js'
import { tool } from '../helpers/processes.js'

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

function scratch(t: Test): string {
  const root = mkdtempSync(join(tmpdir(), 'jubako-pack-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  return root
}

async function packTo(path: string, options: PackLayerOptions) {
  const fd = openSync(path, 'w+')
  try {
    return await packLayer({ ...options, output: fd })
  } finally {
    closeSync(fd)
  }
}

const longName = 'n'.repeat(200)

/** A layer with one of everything that a layer can hold. */
async function everything(root: string): Promise<string> {
  const layer = join(root, 'layer')
  const at = (name: string) => join(layer, name)
  for (const name of ['', 'etc', 'opaque', 'long', `long/${'d'.repeat(120)}`, 'many']) mkdirSync(at(name))
  writeFileSync(at('etc/passwd'), 'root\n', { mode: 0o640 })
  linkSync(at('etc/passwd'), at('etc/again'))
  linkSync(at('etc/passwd'), at('a-first'))
  symlinkSync('/etc/passwd', at('link'))
  symlinkSync('x'.repeat(300), at('long-link'))
  writeFileSync(at(`long/${longName}`), 'long')
  writeFileSync(at(`long/${'d'.repeat(120)}/${'e'.repeat(90)}`), 'split')
  writeFileSync(at('grüße'), 'utf-8')
  writeFileSync(at('owned'), '')
  chownSync(at('owned'), 4_000_000_000, 3_000_000)
  writeFileSync(at('sparse'), 'x')
  truncateSync(at('sparse'), 3_000_000)
  writeFileSync(at('set'), '', { mode: 0o755 })
  await tool('chmod', ['6755', at('set')])
  for (let i = 0; i < 300; i++) writeFileSync(at(`many/${i}`), Buffer.alloc(i * 7, i))
  await tool('mknod', [at('gone'), 'c', '0', '0'])
  linkSync(at('gone'), at('many/gone'))
  await tool('mknod', [at('disk'), 'b', '259', '70000'])
  await tool('mkfifo', [at('fifo')])
  await tool('setfattr', ['-n', 'trusted.overlay.opaque', '-v', 'y', at('opaque')])
  await tool('setfattr', ['-n', 'trusted.overlay.origin', '-v', 'z', at('owned')])
  await tool('setfattr', ['-n', 'user.note', '-v', 'a value', at('etc/passwd')])
  await tool('setfattr', ['-n', 'user.a', '-v', 'first', at('etc/passwd')])
  await tool('setcap', ['cap_net_raw+ep', at('set')])
  await tool('touch', ['-d', '2001-02-03 04:05:06.000007', at('owned')])
  await tool('touch', ['-d', '1965-01-01', at('sparse')])
  utimesSync(at('etc'), 5, 1_000_000_000)
  return layer
}

/** Everything of a tree that a layer keeps. */
async function describe(root: string): Promise<string[]> {
  const lines: string[] = []
  const inodes = new Map<bigint, string>()
  const walk = (path: string) => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const below = path === '' ? name : `${path}/${name}`
      const info = lstatSync(join(root, below), { bigint: true })
      const whiteout = info.isCharacterDevice() && info.rdev === 0n
      const first = inodes.get(info.ino)
      if (!info.isDirectory() && !whiteout) inodes.set(info.ino, first ?? below)
      const time = whiteout || info.mtimeNs < 0n ? 0n : info.mtimeNs
      const content = info.isFile() ? sha256(readFileSync(join(root, below))) : ''
      const link = info.isSymbolicLink() ? readlinkSync(join(root, below)) : ''
      lines.push(
        [
          below,
          whiteout ? 'whiteout' : info.mode,
          info.uid,
          info.gid,
          time,
          info.rdev,
          first ?? '',
          content,
          link,
        ].join(' '),
      )
      if (info.isDirectory()) walk(below)
    }
  }
  walk('')
  const attributes = await tool('sh', [
    '-c',
    `cd '${root}' && find . -mindepth 1 \\( -type f -o -type d \\) | sort | xargs -d '\\n' getfattr -h -d -m '^(user|security.capability|trusted.overlay.opaque)' | sort`,
  ])
  return [...lines, ...attributes.split('\n')]
}

t.test('a layer comes back as it was, and gives the same stream again', async (t) => {
  const root = scratch(t)
  const layer = await everything(root)
  const first = await packTo(join(root, 'one.tar'), { directory: layer })
  const bytes = readFileSync(join(root, 'one.tar'))
  t.equal(first.diffId, sha256(bytes))
  t.equal(first.digest, first.diffId)
  t.equal(first.size, bytes.length)
  t.equal(first.written, bytes.length)

  const again = join(root, 'again')
  mkdirSync(again)
  const fd = openSync(join(root, 'one.tar'), 'r')
  t.teardown(() => closeSync(fd))
  const unpacked = await unpackLayer({ fd, target: again })
  t.equal(unpacked.diffId, first.diffId)
  t.equal(unpacked.entries, first.entries)
  t.same(unpacked.implicitDirectories, [])
  t.same(await describe(again), await describe(layer))
  t.match(await packLayer({ directory: again }), { diffId: first.diffId, size: first.size, written: 0 })
  t.equal((await packTo(join(root, 'two.tar'), { directory: layer })).diffId, first.diffId)
})

t.test('tar reads it', async (t) => {
  const root = scratch(t)
  const layer = await everything(root)
  await packTo(join(root, 'one.tar'), { directory: layer })
  const names = (await tool('tar', ['-tf', join(root, 'one.tar'), '--quoting-style=literal'])).trim().split('\n')
  t.same(names.slice(0, 3), ['a-first', 'disk', 'etc/'])
  t.ok(names.includes('.wh.gone') && names.includes('many/.wh.gone'), 'whiteouts')
  t.equal(names[names.indexOf('opaque/') + 1], 'opaque/.wh..wh..opq')
  for (const name of [`long/${longName}`, `long/${'d'.repeat(120)}/${'e'.repeat(90)}`, 'grüße']) {
    t.ok(names.includes(name), name.slice(0, 10))
  }
  const byTar = join(root, 'by-tar')
  mkdirSync(byTar)
  await tool('tar', ['-C', byTar, '--xattrs', '--xattrs-include=*', '-xpf', join(root, 'one.tar')])
  t.equal(lstatSync(join(byTar, 'owned')).uid, 4_000_000_000)
  t.equal(lstatSync(join(byTar, 'owned'), { bigint: true }).mtimeNs % 1_000_000_000n, 7_000n)
  t.equal(lstatSync(join(byTar, 'etc/passwd')).ino, lstatSync(join(byTar, 'a-first')).ino)
  t.equal(readlinkSync(join(byTar, 'long-link')), 'x'.repeat(300))
  t.match(await tool('getcap', [join(byTar, 'set')]), /cap_net_raw/)
  t.match(await tool('getfattr', ['-d', '--absolute-names', join(byTar, 'etc/passwd')]), /user\.note="a value"/)
})

t.test('compressed streams are read by the reference tools and unpack to the same layer', async (t) => {
  const root = scratch(t)
  const layer = await everything(root)
  writeFileSync(join(layer, 'large'), Buffer.alloc(5 << 20, 'some text that repeats'))
  const plain = await packTo(join(root, 'plain'), { directory: layer })
  for (const [compression, command] of [
    ['gzip', 'gzip'],
    ['zstd', 'zstd'],
  ] as const) {
    const path = join(root, compression)
    const packed = await packTo(path, { directory: layer, compression })
    const bytes = readFileSync(path)
    t.match(packed, { diffId: plain.diffId, size: plain.size, digest: sha256(bytes), written: bytes.length })
    t.ok(bytes.length < plain.size / 5, 'smaller')
    await tool('sh', ['-c', `${command} -dc < '${path}' | cmp - '${join(root, 'plain')}'`])
    const target = join(root, `${compression}.d`)
    mkdirSync(target)
    const fd = openSync(path, 'r')
    t.teardown(() => closeSync(fd))
    t.equal((await unpackLayer({ fd, target, compression })).diffId, plain.diffId)
    t.equal((await packTo(path, { directory: layer, compression })).digest, packed.digest, 'the same bytes again')
  }
})

t.test('what no layer can hold is refused by name', async (t) => {
  const root = scratch(t)
  const layer = join(root, 'layer')
  mkdirSync(join(layer, 'a'), { recursive: true })
  writeFileSync(join(layer, 'a/.wh.b'), '')
  await t.rejects(packLayer({ directory: layer }), { code: 'ERR_JUBAKO_UNSUPPORTED', message: /a\/\.wh\.b/ })
  rmSync(join(layer, 'a/.wh.b'))
  await tool('setfattr', ['-n', 'trusted.overlay.redirect', '-v', '/x', join(layer, 'a')])
  await t.rejects(packLayer({ directory: layer }), { code: 'ERR_JUBAKO_UNSUPPORTED', message: /not whole/ })
  await tool('setfattr', ['-x', 'trusted.overlay.redirect', join(layer, 'a')])
  const server = createServer().listen(join(layer, 'socket'))
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  t.equal((await packLayer({ directory: layer })).entries, 1, 'a socket is left out')
})

t.test('a full disk and an abort end it', async (t) => {
  const root = scratch(t)
  const layer = await everything(root)
  const full = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(full))
  await t.rejects(packLayer({ directory: layer, output: full }), {
    code: 'ERR_JUBAKO_SYSTEM',
    hint: 'the disk is full',
  })
  await t.rejects(packLayer({ directory: layer, output: full, compression: 'gzip' }), { code: 'ERR_JUBAKO_SYSTEM' })
  const signal = AbortSignal.abort()
  await t.rejects(packLayer({ directory: layer, signal }), { code: 'ERR_JUBAKO_ABORTED' })
})

t.test('a tree as it is, whole or a part under another name', async (t) => {
  const root = scratch(t)
  const at = (name: string) => join(root, name)
  for (const name of ['low/etc', 'up/etc', 'scratch']) mkdirSync(at(name), { recursive: true })
  writeFileSync(at('low/etc/a'), 'low')
  writeFileSync(at('low/etc/hidden'), 'low')
  writeFileSync(at('up/etc/a'), 'up')
  symlinkSync('/etc/a', at('up/link'))
  symlinkSync('../../../../../../etc', at('up/climb'))
  await tool('mknod', [at('up/etc/hidden'), 'c', '0', '0'])
  const list = async (options: Partial<Parameters<typeof packTree>[0]>, show = '-t') => {
    const fd = openSync(at('out.tar'), 'w+')
    try {
      const packed = await packTree({ source: [at('up'), at('low')], scratch: at('scratch'), ...options, output: fd })
      t.equal(packed.size, lstatSync(at('out.tar')).size)
    } finally {
      closeSync(fd)
    }
    return (await tool('tar', [show, '-f', at('out.tar'), ...(show === '-t' ? [] : ['-O'])])).trim().split('\n')
  }
  t.same(await list({}), ['climb', 'etc/', 'etc/a', 'link'])
  t.same(await list({ source: at('up') }), ['climb', 'etc/', 'etc/a', 'link'])
  t.same(await list({ source: [at('up')] }), ['climb', 'etc/', 'etc/a', 'link'], 'a whiteout stands for nothing')
  t.same(await list({ path: '/etc', name: 'new' }), ['new/', 'new/a'])
  t.same(await list({ path: 'etc/' }), ['a'])
  t.same(await list({ path: '/', name: 'all' }), ['all/', 'all/climb', 'all/etc/', 'all/etc/a', 'all/link'])
  t.same(await list({ path: '/etc/a', name: 'file' }, '-x'), ['up'])
  t.same(await list({ path: '/link', name: 'file', follow: true }, '-x'), ['up'])
  t.same(await list({ path: '/link', name: 'l' }), ['l'])
  t.same(await list({ path: '/climb', name: 'c', follow: true }), ['c/', 'c/a'], 'no link leads out')
  t.same(await list({ path: '/climb/a', name: 'c' }, '-x'), ['up'], 'also in the middle')
  await t.rejects(list({ path: '/none', name: 'x' }), { code: 'ERR_JUBAKO_SYSTEM', errnoName: 'ENOENT' })
})
