import { closeSync, openSync, readSync } from 'node:fs'

const pool = Buffer.allocUnsafeSlow(1024)
let used = pool.length

/** Bytes of the kernel's generator, in hexadecimal. `node:crypto` has the same, but takes longer to load than to start a container. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) refill()
  used += bytes
  return pool.toString('hex', used - bytes, used)
}

function refill(): void {
  const fd = openSync('/dev/urandom', 'r')
  try {
    for (let filled = 0; filled < pool.length; ) filled += readSync(fd, pool, filled, pool.length - filled, null)
  } finally {
    closeSync(fd)
  }
  used = 0
}
