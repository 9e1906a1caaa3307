/** A tar archive of one file (POSIX.1-2001, pax). */
import type { WriteFileOptions } from './container-types.js'

const BLOCK = 512

function header(name: string, type: string, size: number, mode: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, '0'), at)
  block.write(name, 0, 100)
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(Math.min(size, 8 ** 11 - 1), 124, 12)
  octal(0, 136, 12)
  block.write(type, 156)
  block.write('ustar\u000000', 257)
  block.fill(' ', 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

const padding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)

/** `length key=value\n`, where the length counts itself. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest
  while (length !== rest + String(length).length) length = rest + String(length).length
  return Buffer.from(`${length} ${key}=${value}\n`)
}

export function fileArchive(name: string, data: Buffer, options: WriteFileOptions): Buffer[] {
  const { mode = 0o644, uid = 0, gid = 0, mtime = new Date() } = options
  const records = Buffer.concat([
    record('path', name),
    record('size', String(data.length)),
    record('uid', String(uid)),
    record('gid', String(gid)),
    record('mtime', (mtime.getTime() / 1000).toFixed(3)),
  ])
  return [
    header('pax', 'x', records.length, 0o644),
    records,
    padding(records.length),
    header('file', '0', data.length, mode & 0o7777),
    data,
    padding(data.length),
    Buffer.alloc(2 * BLOCK),
  ]
}
