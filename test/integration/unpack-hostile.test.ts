// lanes: host
/** Archives that attack. Each runs with both barriers and with each of them alone; a canary lies outside. */
import {
  chmodSync,
  chownSync,
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
import { join, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { Barriers } from '../../src/archive/index.js'
import { JubakoError } from '../../src/errors/index.js'
import { directory, file, hardLink, header, meta, paxRecord, symlink, type TarEntry, tar } from '../fixtures/tar.js'
import { watchLeaks } from '../helpers/leaks.js'
import { unpackBench } from '../helpers/unpack.js'

const BOTH: Barriers = { jail: true, beneath: true }
const WALLS: [string, Barriers][] = [
  ['both barriers', BOTH],
  ['the jail alone', { jail: true, beneath: false }],
  ['the resolution beneath alone', { jail: false, beneath: true }],
]

/** A tree with its names, kinds, modes, times and contents: equal before and after, or something reached it. */
function fingerprint(root: string): string {
  const lines: string[] = []
  const walk = (path: string) => {
    const info = lstatSync(path, { bigint: true })
    const { mode, uid, gid, nlink, size, mtimeNs, ctimeNs } = info
    lines.push([relative(root, path), mode, uid, gid, nlink, size, mtimeNs, ctimeNs].join(' '))
    if (info.isFile()) lines.push(readFileSync(path, 'latin1'))
    if (info.isDirectory()) for (const name of readdirSync(path).sort()) walk(join(path, name))
  }
  walk(root)
  return lines.join('\n')
}

// Outside of every target, at a fixed depth below /, so that names can climb to it.
const outside = mkdtempSync(join(tmpdir(), 'jubako-canary-'))
t.teardown(() => rmSync(outside, { recursive: true, force: true }))
function makeCanary(): void {
  for (const name of readdirSync(outside)) rmSync(join(outside, name), { recursive: true })
  chmodSync(outside, 0o700)
  chownSync(outside, 0, 0)
  mkdirSync(join(outside, 'dir'))
  writeFileSync(join(outside, 'file'), 'canary', { mode: 0o640 })
  writeFileSync(join(outside, 'dir/inner'), 'canary', { mode: 0o600 })
  symlinkSync('dir', join(outside, 'link'))
}
makeCanary()
const canary = outside.slice(1)
const climb = `${'../'.repeat(12)}${canary}`

type Attack = [name: string, members: (TarEntry | Buffer)[]]

/** What reaches for the canary. With the resolution beneath it is refused or stays in the layer. */
const escapes: Attack[] = [
  ['a name that climbs', [file(`${climb}/file`, 'x')]],
  ['a name that climbs in the middle', [file(`a/b/../../${climb}/file`, 'x')]],
  ['an absolute name', [file(`/${canary}/file`, 'x')]],
  ['a doubled slash', [file(`//${canary}/file`, 'x')]],
  ['a pax path that climbs', [file('x', 'x', { pax: { path: `${climb}/file` } })]],
  ['a GNU long name that climbs', [meta('L', `${climb}/file\0`), file('x', 'x')]],
  ['through an absolute symbolic link', [symlink('l', outside), file('l/file', 'x')]],
  ['through a climbing symbolic link', [symlink('l', climb), file('l/file', 'x')]],
  [
    'through a chain of links',
    [symlink('a', 'b/..'), symlink('b', '../../..'), symlink('c', `a/${climb}`), file('c/file', 'x')],
  ],
  ['a file over a symbolic link', [symlink('l', `${outside}/file`), file('l', 'x')]],
  [
    'a directory over a symbolic link',
    [symlink('l', outside), directory('l/', { mode: 0o777, uid: 9 }), file('l/file', 'x')],
  ],
  ['a directory that becomes a link', [directory('d/'), file('d/a'), symlink('d', outside), file('d/file', 'x')]],
  [
    'a directory behind an implicit one that becomes a link',
    [file('p/q/a'), symlink('p/q', outside), file('p/q/file', 'x')],
  ],
  ['the mode of a directory that became a link', [directory('d/', { mode: 0o777, uid: 9 }), symlink('d', outside)]],
  ['a hard link that climbs', [hardLink('h', `${climb}/file`), file('h', 'x')]],
  ['an absolute hard link', [hardLink('h', `/${canary}/file`), { ...file('h', 'x'), mode: 0o777 }]],
  ['a hard link through a symbolic link', [symlink('l', outside), hardLink('h', 'l/file')]],
  [
    'a hard link to a symbolic link, then metadata',
    [symlink('l', `${outside}/file`), hardLink('h', 'l'), { ...hardLink('i', 'l'), uid: 9, mode: 0o777 }],
  ],
  [
    'a hard link to a symbolic link, then contents',
    [symlink('l', `${outside}/file`), hardLink('h', 'l'), file('h', 'x')],
  ],
  ['a whiteout outside', [file(`${climb}/.wh.file`, '')]],
  ['a whiteout through a link', [symlink('l', outside), file('l/.wh.file', '')]],
  ['an opaque mark through a link', [symlink('l', outside), file('l/.wh..wh..opq', '')]],
  ['a device through a link', [symlink('l', outside), { name: 'l/null', type: '3', major: 1, minor: 3 }]],
  ['a symbolic link through a link', [symlink('l', outside), symlink('l/new', '/etc/passwd')]],
  ['a removal through a link', [symlink('l', outside), file('l/dir', 'x')]],
  ['by /proc', [symlink('l', '/proc/self/root'), file(`l/${canary}/file`, 'x')]],
  [
    'by /proc and a descriptor',
    [symlink('l', '/proc/self/fd/4'), file('l', 'x'), symlink('m', '/proc/1/cwd'), file('m/new', 'x')],
  ],
  ['an entry named /. that is a link', [symlink('/.', outside), file('file', 'x')]],
  ['the root as a link', [symlink('.', outside), file('file', 'x')]],
  ['names that only look like climbing', [file('..\\..\\x'), file('C:../x'), file('...'), file('.. /x')]],
  [
    'a name equal in another form of Unicode',
    [directory('caf\u00e9/'), symlink('cafe\u0301', outside), file('caf\u00e9/file', 'x')],
  ],
]

for (const [wall, barriers] of WALLS) {
  t.test(`attacks on what lies outside: ${wall}`, async (t) => {
    for (const [name, members] of escapes) {
      const { target, unpack } = unpackBench(t)
      const before = fingerprint(outside)
      const outcome = await unpack(tar(...members), { barriers }).catch((error: unknown) => error)
      t.equal(fingerprint(outside), before, name)
      if (outcome instanceof Error) t.type(outcome, JubakoError)
      t.ok(lstatSync(target).isDirectory(), `${name}: the target is still a directory`)
    }
  })
}

t.test('without any barrier the same attacks arrive, so the canary is where they aim', async (t) => {
  const reached: string[] = []
  // Those by /proc would reach the machine itself.
  for (const [name, members] of escapes.filter(([name]) => !name.startsWith('by /proc'))) {
    const { unpack } = unpackBench(t)
    const before = fingerprint(outside)
    await unpack(tar(...members), { barriers: { jail: false, beneath: false } }).catch(() => {})
    if (fingerprint(outside) !== before) reached.push(name)
    makeCanary()
  }
  t.comment(reached.join('; '))
  t.ok(reached.length >= 12, `${reached.length} of them`)
})

/** What both barriers together must refuse by name, before anything is made of it. */
const refused: [name: string, members: (TarEntry | Buffer)[], reason: RegExp, code?: string][] = [
  ['a name that climbs', [file('../x')], /leads out of the layer/],
  ['a hard link that climbs', [hardLink('h', '../x')], /leads out of the layer/],
  ['a hard link to nothing', [hardLink('h', 'missing')], /not in the layer/],
  ['a hard link to a directory', [directory('d/'), hardLink('h', 'd')], /is a directory/],
  ['a hard link to itself', [hardLink('h', 'h')], /its own target/],
  ['a parent that is a file', [file('f'), file('f/x')], /not a directory/],
  [
    'a link in a circle',
    [symlink('a', 'b'), symlink('b', 'a'), file('a/x')],
    /do not stay in the layer|circle|leads nowhere/,
  ],
  ['a whiteout of nothing', [file('.wh.', '')], /whiteout of no name/],
  ['a whiteout of .', [file('.wh..', '')], /whiteout of no name/],
  ['a whiteout of ..', [file('.wh...', '')], /whiteout of no name/],
  ['a forged whiteout', [{ name: 'c', type: '3', major: 0, minor: 0 }], /taken for a whiteout/],
  ['a device number too large', [{ name: 'c', type: '3', major: 4096, minor: 0 }], /device number/],
  ['a minor number too large', [{ name: 'c', type: '4', major: 8, minor: 1 << 20 }], /device number/],
  ['an owner beyond 32 bits', [file('f', '', { uid: 2 ** 32 })], /owner/],
  ['the owner -1', [file('f', '', { gid: 2 ** 32 - 1 })], /owner/],
  ['an owner beyond 32 bits by pax', [file('f', '', { pax: { uid: '4294967296' } })], /owner/],
  ['a negative owner', [file('f', '', { uid: -1 })], /invalid user id/],
  ['a negative size', [file('f', '', { size: -512 })], /invalid size/],
  ['a size of 2^63', [file('f', '', { pax: { size: '9223372036854775808' } })], /invalid size/],
  ['a size larger than all limits', [file('f', '', { size: 2 ** 50 })], /bytes/, 'ERR_JUBAKO_LIMIT_EXCEEDED'],
  ['a size larger than the archive', [file('f', 'x', { size: 100_000 })], /ends early/],
  ['a wrong checksum', [file('f', '', { checksum: 1 })], /checksum/],
  ['a type nobody knows', [file('f', '', { type: 'Q' })], /Q/, 'ERR_JUBAKO_UNSUPPORTED'],
  ['NUL in a pax path', [file('f', '', { pax: { path: 'a\0b' } })], /path/],
  ['NUL in a pax link', [{ ...symlink('f', 'x'), pax: { linkpath: 'a\0b' } }], /linkpath/],
  ['NUL in the name of an attribute', [file('f', '', { pax: { 'SCHILY.xattr.user.a\0b': 'x' } })], /NUL/],
  ['a pax record with a wrong length', [meta('x', '99 path=x\n'), file('f')], /not well formed/],
  ['a pax record of length 0', [meta('x', '0 path=x\n'), file('f')], /not well formed/],
  ['a pax record without a key', [meta('x', '5 =x\n'), file('f')], /not well formed/],
  ['a pax header for nothing', [meta('x', paxRecord('path', 'x'))], /ends early/],
  [
    'too many headers in front of one entry',
    [...Array.from({ length: 40 }, () => meta('x', paxRecord('path', 'x'))), file('f')],
    /too many extended headers/,
  ],
  ['a block of zeros between entries', [file('a'), Buffer.alloc(512), file('b')], /block of zeros/],
  ['a symbolic link without a target', [symlink('l', '')], /no target/],
  ['a component of 256 bytes', [file('x', '', { pax: { path: 'a'.repeat(256) } })], /255/, 'ERR_JUBAKO_LIMIT_EXCEEDED'],
  [
    'a path of 5000 bytes',
    [file('x', '', { pax: { path: 'abcdefghi/'.repeat(60).concat('a'.repeat(200), '/').repeat(7) } })],
    /4095|256/,
    'ERR_JUBAKO_LIMIT_EXCEEDED',
  ],
  ['257 directories', [file('x', '', { pax: { path: `${'d/'.repeat(257)}f` } })], /256/, 'ERR_JUBAKO_LIMIT_EXCEEDED'],
  ['a pax header of 2 MiB', [meta('x', Buffer.alloc(2 << 20)), file('f')], /1 MiB/, 'ERR_JUBAKO_LIMIT_EXCEEDED'],
  ['a long name of 2 MiB', [meta('L', Buffer.alloc(2 << 20, 'a')), file('f')], /1 MiB/, 'ERR_JUBAKO_LIMIT_EXCEEDED'],
  [
    '1001 pax records',
    [meta('x', Buffer.concat(Array.from({ length: 1001 }, (_, i) => paxRecord(`k${i}`, '')))), file('f')],
    /1000 records/,
    'ERR_JUBAKO_LIMIT_EXCEEDED',
  ],
  [
    'a target of a symbolic link of 4096 bytes',
    [meta('K', `${'a/'.repeat(2048)}\0`), symlink('l', 'x')],
    /4095/,
    'ERR_JUBAKO_LIMIT_EXCEEDED',
  ],
]

t.test('what is refused, and how', async (t) => {
  for (const [name, members, message, code = 'ERR_JUBAKO_INTEGRITY'] of refused) {
    const { unpack } = unpackBench(t)
    await t.rejects(unpack(tar(...members)), { code, message }, name)
  }
})

t.test('a size in a pax header is about the entry, not about headers between', async (t) => {
  // Readers that apply it to the long name see other entries than readers that do not.
  const { target, unpack } = unpackBench(t)
  const smuggled = tar(file('smuggled')).subarray(0, 1024)
  await unpack(
    tar(
      meta('x', paxRecord('size', `${smuggled.length}`)),
      meta('L', 'outer\0'),
      header({ name: 'x', type: '0' }, 0),
      smuggled,
      file('after'),
    ),
  )
  t.same(readdirSync(target).sort(), ['after', 'outer'])
  t.equal(lstatSync(join(target, 'outer')).size, smuggled.length)
})

t.test('what follows the end is hashed and not parsed', async (t) => {
  const { target, unpack } = unpackBench(t)
  const whole = Buffer.concat([tar(file('a')), tar(file('b')), Buffer.from('garbage')])
  const { uncompressed } = await unpack(whole)
  t.equal(uncompressed, whole.length)
  t.same(readdirSync(target), ['a'])
})

t.test('names with control characters do not reach a terminal', async (t) => {
  const { unpack } = unpackBench(t)
  const error: unknown = await unpack(tar(file('\u001b[2Jx/../../y'))).catch((thrown: unknown) => thrown)
  t.ok(error instanceof JubakoError)
  t.notMatch(String(error), '\u001b')
})

t.test('damaged and cut-off streams', async (t) => {
  const archive = tar(file('a', Buffer.alloc(100_000, 'data')), file('b'))
  const zipped = gzipSync(archive)
  const flipped = Buffer.from(zipped)
  flipped[flipped.length >> 1]! ^= 0x55
  const wrongSum = Buffer.from(zipped)
  wrongSum[wrongSum.length - 6]! ^= 1
  const cases: [string, Buffer][] = [
    ['plain, cut in a header', archive.subarray(0, 300)],
    ['plain, cut in the data', archive.subarray(0, 50_000)],
    ['gzip, cut', zipped.subarray(0, zipped.length - 20)],
    ['gzip, cut in its trailer', zipped.subarray(0, zipped.length - 3)],
    ['gzip, a flipped byte', flipped],
    ['gzip, a wrong CRC', wrongSum],
    ['gzip, only a header', zipped.subarray(0, 10)],
    ['gzip, followed by garbage', Buffer.concat([zipped, Buffer.from('garbage')])],
    ['zstd, cut', Buffer.from('28b52ffd2400', 'hex')],
    ['not a tar archive', Buffer.alloc(2048, 'text ')],
  ]
  for (const [name, bytes] of cases) {
    await t.rejects(unpackBench(t).unpack(bytes), { code: 'ERR_JUBAKO_INTEGRITY' }, name)
  }
})

t.test('bombs', async (t) => {
  const zeros = gzipSync(tar(file('zeros', Buffer.alloc(32 << 20))))
  const limits = { ratioFloor: 1 << 20 }
  const limit = { code: 'ERR_JUBAKO_LIMIT_EXCEEDED' }
  await t.rejects(unpackBench(t).unpack(zeros, { limits }), { ...limit, message: /64 times its compressed size/ })
  t.match(await unpackBench(t).unpack(zeros), { size: 32 << 20 }, 'below the floor the ratio does not count')
  await t.rejects(unpackBench(t).unpack(zeros, { limits: { maxBytes: 1 << 20 } }), {
    ...limit,
    message: /1048576 bytes/,
  })
  const many = tar(...Array.from({ length: 50 }, (_, i) => file(`d${i}/e/f`, '')))
  await t.rejects(unpackBench(t).unpack(many, { limits: { maxEntries: 149 } }), { ...limit, message: /149 entries/ })
  t.match(await unpackBench(t).unpack(many, { limits: { maxEntries: 150 } }), { entries: 50 })
  const hole = {
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.name': 'hole',
    'GNU.sparse.realsize': `${2 ** 40}`,
  }
  const sparse = tar(file('x', Buffer.concat([Buffer.from('0\n'), Buffer.alloc(510)]), { pax: hole }))
  await t.rejects(unpackBench(t).unpack(sparse), limit, 'a terabyte of holes')
})

t.test('random damage neither escapes nor crashes the worker', async (t) => {
  let state = 12_345
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const seed = tar(
    directory('d/'),
    file('d/f', Buffer.alloc(3000, 'x')),
    symlink('l', 'd'),
    file('x', 'y', { pax: { path: 'l/g', mtime: '1.5', 'SCHILY.xattr.user.a': 'b' } }),
    hardLink('d/h', 'd/f'),
    { name: 'dev', type: '3', major: 1, minor: 3 },
  )
  const before = fingerprint(outside)
  const watch = watchLeaks()
  for (let round = 0; round < 120; round++) {
    const bytes = Buffer.from(seed)
    for (let i = random(6); i >= 0; i--) {
      const block = random(bytes.length >> 9) << 9
      bytes[block + random(512)] = random(256)
      // With the right sum, so that the damage is met behind the checksum.
      const own = bytes.subarray(block, block + 512)
      own.fill(' ', 148, 156)
      own.write(
        own
          .reduce((sum, byte) => sum + byte, 0)
          .toString(8)
          .padStart(6, '0'),
        148,
      )
    }
    const { unpack } = unpackBench(t)
    const outcome = await unpack(bytes).catch((error: JubakoError) => error.code)
    if (typeof outcome === 'string' && outcome === 'ERR_JUBAKO_SYSTEM') {
      const error: unknown = await unpackBench(t)
        .unpack(bytes)
        .catch((thrown: unknown) => thrown)
      t.notMatch(String(error), /signal|killed/, `round ${round}`)
    }
  }
  t.equal(fingerprint(outside), before)
  t.strictSame(await watch.found(), [])
})
