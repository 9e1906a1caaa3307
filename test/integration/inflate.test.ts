// lanes: host
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { constants, gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { file, tar } from '../fixtures/tar.js'
import { unpackBench } from '../helpers/unpack.js'

const text = Buffer.from('the quick brown fox jumps over the lazy dog; ')
const contents = {
  nothing: Buffer.alloc(0),
  zeros: Buffer.alloc(5 << 20),
  random: randomBytes(700_001),
  text: Buffer.alloc(3 << 20, text),
  // Distances of every size, back over the borders of the ring's chunks.
  far: Buffer.concat(Array.from({ length: 40 }, (_, i) => Buffer.concat([randomBytes(32_000 + i * 7), text]))),
  mixed: Buffer.concat(
    Array.from({ length: 60 }, () => Buffer.concat([randomBytes(9000), Buffer.alloc(90_000, text)])),
  ),
}
const { Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = constants

t.test('every kind of deflate block gives what zlib made it of', async (t) => {
  const { target, unpack } = unpackBench(t)
  for (const [name, content] of Object.entries(contents)) {
    const archive = tar(file('data', content))
    const diffId = `sha256:${createHash('sha256').update(archive).digest('hex')}`
    for (const level of [0, 1, 6, 9]) {
      for (const strategy of level === 6
        ? [Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE]
        : [Z_DEFAULT_STRATEGY]) {
        const blob = gzipSync(archive, { level, strategy, memLevel: level === 1 ? 1 : 8 })
        const unpacked = await unpack(blob, { compression: 'gzip' })
        t.equal(unpacked.diffId, diffId, `${name}, level ${level}, strategy ${strategy}`)
        rmSync(target, { recursive: true })
        mkdirSync(target)
      }
    }
  }
})

t.test('damage is found wherever it is', async (t) => {
  const { target, unpack } = unpackBench(t)
  const archive = tar(file('data', contents.mixed.subarray(0, 300_000)))
  const blob = gzipSync(archive)
  const damaged = Array.from({ length: 24 }, (_, i) => {
    const bytes = Buffer.from(blob)
    // Behind the header: a flag or a time in it may change without harm.
    const at = 10 + Math.floor(((bytes.length - 10) * i) / 24)
    bytes[at] = bytes[at]! ^ (1 << (i % 8))
    return bytes
  })
  for (const bytes of [...damaged, blob.subarray(0, 5), blob.subarray(0, -1), blob.subarray(0, blob.length / 2)]) {
    t.throws(() => gunzipSync(bytes))
    await t.rejects(unpack(bytes), { code: 'ERR_JUBAKO_INTEGRITY' })
    rmSync(target, { recursive: true })
    mkdirSync(target)
  }
})
