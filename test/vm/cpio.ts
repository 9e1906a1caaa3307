/** The kernel's initramfs format: cpio "newc", see the kernel's Documentation/driver-api/early-userspace/buffer-format. */

export interface CpioEntry {
  /** Path without a leading slash. */
  path: string
  /** `S_IFMT` bits and permissions. */
  mode: number
  data?: Uint8Array
}

const ALIGNMENT = 4

function padded(chunk: Uint8Array): Buffer {
  return Buffer.concat([chunk, Buffer.alloc((ALIGNMENT - (chunk.length % ALIGNMENT)) % ALIGNMENT)])
}

function entryBytes({ path, mode, data = new Uint8Array() }: CpioEntry, inode: number): Buffer {
  const name = Buffer.from(`${path}\0`)
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0]
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), name])), padded(data)])
}

/** One archive; the kernel accepts several, one after the other, as one initramfs. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const all = [...entries, { path: 'TRAILER!!!', mode: 0 }]
  return Buffer.concat(all.map((entry, index) => entryBytes(entry, index + 1)))
}
