/** What one archive may cost; the fields of native/archive/limits.h. */
export interface UnpackLimits {
  /** Bytes of the tar stream, and of all files together with their holes. Default 64 GiB. */
  maxBytes: number
  /** Headers of every kind and directories made without one. Default 2,000,000. */
  maxEntries: number
  /** Unpacked bytes may reach this multiple of the compressed ones. Default 64. */
  maxRatio: number
  /** Bytes that are allowed whatever the ratio. Default 1 GiB. */
  ratioFloor: number
}

export const defaultLimits: UnpackLimits = {
  maxBytes: 64 * 2 ** 30,
  maxEntries: 2_000_000,
  maxRatio: 64,
  ratioFloor: 2 ** 30,
}

/** The walls around the worker. Only tests take one away, to show that the other holds alone. */
export interface Barriers {
  jail: boolean
  beneath: boolean
}

export const compressions = { none: 0, gzip: 1, zstd: 2, any: 254, detect: 255 } as const
export type Compression = keyof typeof compressions

/** The flat form that native/init/unpack.cc reads. */
export function encodeOrders(
  compression: Compression,
  compressedSize: number,
  limits: UnpackLimits,
  barriers: Barriers,
  growing: boolean,
): Buffer {
  const out = Buffer.alloc(4 + 8 * 5 + 12)
  let at = out.writeUInt32LE(compressions[compression], 0)
  for (const value of [compressedSize, limits.maxBytes, limits.maxEntries, limits.maxRatio, limits.ratioFloor]) {
    at = out.writeBigUInt64LE(BigInt(value), at)
  }
  at = out.writeUInt32LE(barriers.jail ? 1 : 0, at)
  at = out.writeUInt32LE(barriers.beneath ? 1 : 0, at)
  out.writeUInt32LE(growing ? 1 : 0, at)
  return out
}
