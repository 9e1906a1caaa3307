/** Unpacking of archives made in memory into directories that a canary lies beside. */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type UnpackedLayer, type UnpackOptions, unpackLayer } from '../../src/archive/index.js'

/** A directory with an archive in it and a target beside; removed when the test ends. */
export interface Bench {
  root: string
  target: string
  unpack(archive: Buffer, options?: Partial<UnpackOptions>): Promise<UnpackedLayer>
}

export function unpackBench(t: Test): Bench {
  const root = mkdtempSync(join(tmpdir(), 'jubako-unpack-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const target = join(root, 'layer')
  mkdirSync(target)
  const unpack = async (archive: Buffer, options: Partial<UnpackOptions> = {}) => {
    const blob = join(root, 'blob')
    writeFileSync(blob, archive)
    const fd = openSync(blob, 'r')
    try {
      return await unpackLayer({ fd, target, ...options })
    } finally {
      closeSync(fd)
    }
  }
  return { root, target, unpack }
}
