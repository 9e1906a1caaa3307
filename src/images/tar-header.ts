export interface TarMember {
  name: string
  /** Bytes. */
  size: number
  mode: number
  /** A directory; the name ends with a slash. Default: a file. */
  directory?: boolean
}

export const TAR_BLOCK = 512
/** What an archive ends with. */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK)

/** A POSIX ustar header: owned by root, without a date, so that the same content gives the same archive. */
export function tarHeader({ name, size, mode, directory = false }: TarMember): Buffer {
  const header = Buffer.alloc(TAR_BLOCK)
  const octal = (value: number, at: number, width: number) =>
    header.write(value.toString(8).padStart(width - 1, '0'), at)
  header.write(name, 0, 100)
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  if (size < 8 ** 11) octal(size, 124, 12)
  else {
    // GNU's form for 8 GiB and more, which every reader knows.
    header.writeUInt8(0x80, 124)
    header.writeBigUInt64BE(BigInt(size), 128)
  }
  octal(0, 136, 12)
  header.write(directory ? '5' : '0', 156)
  header.write('ustar\u000000', 257)
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** Zeros after a member's content up to the next block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK)
}
