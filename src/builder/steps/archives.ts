import { closeSync, openSync, readSync } from 'node:fs'

const MAGIC: readonly [offset: number, bytes: string][] = [
  [0, '1f8b08'],
  [0, '28b52ffd'],
  [0, '425a68'],
  [0, 'fd377a585a00'],
  [257, Buffer.from('ustar').toString('hex')],
]

/** The first bytes of a file. */
export function readStart(path: string): Buffer {
  const fd = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(512)
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0))
  } finally {
    closeSync(fd)
  }
}

/** Whether bytes are the beginning of a tar archive, as it is or compressed. */
export function isArchive(start: Buffer): boolean {
  return MAGIC.some(([offset, hex]) => start.subarray(offset, offset + hex.length / 2).toString('hex') === hex)
}
