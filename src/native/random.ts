import { closeSync, openSync, readSync } from 'node:fs'

/** Bytes of the kernel's generator, in hexadecimal. `node:crypto` has the same, but takes longer to load than to start a container. */
export function randomHex(bytes: number): string {
  const buffer = Buffer.allocUnsafe(bytes)
  const fd = openSync('/dev/urandom', 'r')
  try {
    for (let filled = 0; filled < bytes; ) filled += readSync(fd, buffer, filled, bytes - filled, null)
  } finally {
    closeSync(fd)
  }
  return buffer.toString('hex')
}
