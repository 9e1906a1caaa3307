// lanes: host
import { createHash } from 'node:crypto'
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { directory, file, hardLink, meta, paxRecord, symlink, tar } from '../fixtures/tar.js'
import { tool } from '../helpers/processes.js'
import { unpackBench } from '../helpers/unpack.js'

const stat = (path: string): BigIntStats => lstatSync(path, { bigint: true })
const mode = (path: string) => (Number(stat(path).mode) & 0o7777).toString(8)
const attributes = (path: string) => tool('getfattr', ['-h', '-d', '-m', '-', '--absolute-names', path])
const isWhiteout = (path: string) => stat(path).isCharacterDevice() && stat(path).rdev === 0n

t.test('every kind of entry', async (t) => {
  const { target, unpack } = unpackBench(t)
  const archive = tar(
    directory('etc/', { mode: 0o2750, uid: 3, gid: 4, mtime: 1000 }),
    file('etc/passwd', 'root', { mode: 0o4755, uid: 1000, gid: 1001 }),
    { ...hardLink('etc/same', 'etc/passwd'), mode: 0o4755, uid: 1000, gid: 1001 },
    file('first', '', { mode: 0o600 }),
    { ...hardLink('second', 'first'), mode: 0o2755, uid: 5, mtime: 77 },
    symlink('etc/link', '/nowhere/../x'),
    { name: 'dev/null', type: '3', mode: 0o666, major: 1, minor: 3 },
    { name: 'dev/disk', type: '4', mode: 0o660, gid: 6, major: 259, minor: 70_000 },
    { name: 'dev/fifo', type: '6', mode: 0o600 },
    file('empty', ''),
  )
  const result = await unpack(archive)
  t.match(result, {
    diffId: `sha256:${createHash('sha256').update(archive).digest('hex')}`,
    uncompressed: archive.length,
    compressed: archive.length,
    entries: 10,
    size: 4,
    implicitDirectories: ['dev'],
  })
  const at = (name: string) => join(target, name)
  t.equal(mode(at('etc')), '2750')
  t.match(stat(at('etc')), { uid: 3n, gid: 4n, mtimeNs: 1_000_000_000_000n })
  t.equal(mode(at('etc/passwd')), '4755', 'chown has not cleared the set-user-ID bit')
  t.match(stat(at('etc/passwd')), { uid: 1000n, gid: 1001n, nlink: 2n, ino: stat(at('etc/same')).ino })
  t.equal(mode(at('first')), '2755', 'the later of two entries for one file wins, as in Docker')
  t.match(stat(at('first')), { uid: 5n, mtimeNs: 77_000_000_000n })
  t.equal(readlinkSync(at('etc/link')), '/nowhere/../x')
  t.ok(stat(at('dev/null')).isCharacterDevice())
  t.equal(stat(at('dev/null')).rdev, 259n)
  t.equal((await tool('stat', ['-c', '%F %t:%T', at('dev/disk')])).trim(), 'block special file 103:11170')
  t.ok(stat(at('dev/fifo')).isFIFO())
  t.equal(mode(at('dev')), '755')
})

t.test('compressions, and what is declared must be so', async (t) => {
  const archive = tar(file('a'))
  const diffId = `sha256:${createHash('sha256').update(archive).digest('hex')}`
  const { root } = unpackBench(t)
  await tool('sh', ['-c', `printf '%s' '${archive.toString('base64')}' | base64 -d | zstd -q > ${root}/z`])
  const zstd = readFileSync(join(root, 'z'))
  const half = archive.length / 2
  const forms: [string, Buffer, 'none' | 'gzip' | 'zstd'][] = [
    ['plain', archive, 'none'],
    ['gzip', gzipSync(archive), 'gzip'],
    [
      'gzip of two members',
      Buffer.concat([archive.subarray(0, half), archive.subarray(half)].map((it) => gzipSync(it))),
      'gzip',
    ],
    ['gzip padded with zeros', Buffer.concat([gzipSync(archive), Buffer.alloc(700)]), 'gzip'],
    ['zstd', zstd, 'zstd'],
    ['zstd after a skippable frame', Buffer.concat([Buffer.from('502a4d1804000000deadbeef', 'hex'), zstd]), 'zstd'],
  ]
  for (const [name, bytes, compression] of forms) {
    t.equal((await unpackBench(t).unpack(bytes)).diffId, diffId, name)
    t.match(await unpackBench(t).unpack(bytes, { compression }), { diffId, compressed: bytes.length }, name)
    const other = compression === 'gzip' ? 'zstd' : 'gzip'
    await t.rejects(unpackBench(t).unpack(bytes, { compression: other }), { code: 'ERR_JUBAKO_INTEGRITY' }, name)
  }
  await t.rejects(unpackBench(t).unpack(Buffer.from('BZh91AY&SY')), {
    code: 'ERR_JUBAKO_UNSUPPORTED',
    message: /bzip2/,
  })
})

t.test('whiteouts and opaque directories in the form of overlayfs', async (t) => {
  const { target, unpack } = unpackBench(t)
  await unpack(
    tar(
      directory('a/'),
      file('a/.wh.gone', ''),
      directory('b/'),
      file('b/.wh..wh..opq', ''),
      file('b/kept'),
      file('c/.wh..wh.plnk/x', ''),
      file('.wh.d', ''),
      directory('d/'),
      directory('e/'),
      file('.wh.e', ''),
      file('.wh.f', ''),
      file('f', 'again'),
      file('.wh.g', ''),
      file('g/inside'),
    ),
  )
  const at = (name: string) => join(target, name)
  t.ok(isWhiteout(at('a/gone')))
  t.same(readdirSync(at('a')), ['gone'])
  const opaque = /trusted\.overlay\.opaque="y"/
  t.match(await attributes(at('b')), opaque)
  t.same(readdirSync(at('b')), ['kept'], 'the mark itself is no file')
  t.notMatch(await attributes(at('a')), opaque)
  t.match(await attributes(at('d')), opaque, 'a directory after its whiteout')
  t.match(await attributes(at('e')), opaque, 'a directory before its whiteout')
  t.equal(readFileSync(at('f'), 'utf8'), 'again')
  t.match(await attributes(at('g')), opaque, 'a directory nobody describes after its whiteout')
})

t.test('long names, pax records and extended attributes', async (t) => {
  const { target, unpack } = unpackBench(t)
  const long = `${'d'.repeat(200)}/${'f'.repeat(200)}`
  const wide = `ü/${'x'.repeat(150)}`
  const capability = Buffer.from('0000000200040000000000000000000000000000', 'hex')
  capability.writeUInt32LE(0x02000000, 0)
  const { implicitDirectories } = await unpack(
    tar(
      meta('L', `${long}\0`),
      file('ignored', 'gnu'),
      meta('L', 'to-long\0'),
      meta('K', `${'t'.repeat(300)}\0`),
      symlink('ignored', 'ignored'),
      meta('g', paxRecord('mtime', '5')),
      file('x', 'pax', { pax: { path: wide, mtime: '1234567890.123456789', uid: '4000000000', gid: '7' } }),
      file('attributes', '', {
        pax: {
          'SCHILY.xattr.user.one': 'value',
          'LIBARCHIVE.xattr.user.t%77o': Buffer.from('binary').toString('base64'),
          'SCHILY.xattr.security.capability': capability,
          'SCHILY.xattr.trusted.overlay.redirect': '/etc',
          'SCHILY.xattr.user.overlay.opaque': 'y',
          'SCHILY.xattr.security.selinux': 'label',
        },
      }),
      directory('marked/', { pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y', 'SCHILY.xattr.user.d': '1' } }),
      file('negative', '', { pax: { mtime: '-1.5' } }),
      { name: 'prefixed', body: 'p', patch: [[345, 'in/some']] },
    ),
  )
  const at = (name: string) => join(target, name)
  t.equal(readFileSync(at(long), 'utf8'), 'gnu')
  t.equal(readlinkSync(at('to-long')), 't'.repeat(300))
  t.match(stat(at(wide)), { mtimeNs: 1_234_567_890_123_456_789n, uid: 4_000_000_000n, gid: 7n })
  t.equal(readFileSync(at('in/some/prefixed'), 'utf8'), 'p')
  t.equal(stat(at('negative')).mtimeNs, 0n, 'as Docker: before the epoch is the epoch')
  t.same(implicitDirectories, ['d'.repeat(200), 'ü', 'in', 'in/some'])
  const listed = await attributes(at('attributes'))
  t.match(listed, /user\.one="value"/)
  t.match(listed, /user\.two="binary"/)
  t.match(listed, /security\.capability=/)
  t.notMatch(listed, /overlay|selinux/, 'a layer cannot mark what overlayfs believes')
  const marked = await attributes(at('marked'))
  t.match(marked, /user\.d/)
  t.notMatch(marked, /trusted/)
})

t.test('a later entry of the same name wins', async (t) => {
  const { target, unpack } = unpackBench(t)
  await unpack(
    tar(
      file('a', 'old', { mode: 0o600 }),
      file('a', 'new', { mode: 0o640 }),
      directory('b/'),
      file('b/deep/file'),
      file('b', 'now a file'),
      file('c'),
      directory('c/', { mode: 0o700 }),
      file('c/in'),
      symlink('d', 'a'),
      file('d', 'not through the link'),
      directory('e/', { mode: 0o700, mtime: 1 }),
      directory('./e', { mode: 0o711, mtime: 2 }),
      directory('./'),
    ),
  )
  const at = (name: string) => join(target, name)
  t.equal(readFileSync(at('a'), 'utf8'), 'new')
  t.equal(mode(at('a')), '640')
  t.equal(readFileSync(at('b'), 'utf8'), 'now a file')
  t.equal(readFileSync(at('c/in'), 'utf8'), 'c/in')
  t.equal(readFileSync(at('d'), 'utf8'), 'not through the link')
  t.equal(mode(at('e')), '711')
  t.equal(stat(at('e')).mtimeNs, 2_000_000_000n)
})

t.test('links that the archive made itself lead inside of the layer', async (t) => {
  const { target, unpack } = unpackBench(t)
  await unpack(
    tar(directory('usr/lib/'), symlink('lib', '/usr/lib'), file('lib/a'), symlink('up', '../../usr'), file('up/b')),
  )
  t.equal(readFileSync(join(target, 'usr/lib/a'), 'utf8'), 'lib/a')
  t.equal(readFileSync(join(target, 'usr/b'), 'utf8'), 'up/b')
})
