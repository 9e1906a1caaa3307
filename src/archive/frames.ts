import { type ErrorCode, JubakoError } from '../errors/index.js'
import { errnoName } from '../native/index.js'

export interface UnpackResult {
  /** sha256 of the tar stream with all padding. */
  diffId: string
  /** Bytes of the tar stream. */
  uncompressed: number
  /** Bytes of the input. */
  compressed: number
  entries: number
  /** Bytes of all files. */
  size: number
}

/** `kResult` of native/init/unpack.cc. */
export function decodeResult(payload: Buffer): UnpackResult {
  return {
    diffId: `sha256:${payload.toString('hex', 0, 32)}`,
    uncompressed: Number(payload.readBigUInt64LE(32)),
    compressed: Number(payload.readBigUInt64LE(40)),
    entries: Number(payload.readBigUInt64LE(48)),
    size: Number(payload.readBigUInt64LE(56)),
  }
}

/** FaultKind of native/archive/fault.h. */
const kinds: Readonly<Record<number, { code: ErrorCode; hint: string | undefined }>> = {
  1: { code: 'ERR_JUBAKO_INTEGRITY', hint: 'the archive is damaged or cut off: fetch it again' },
  2: { code: 'ERR_JUBAKO_INTEGRITY', hint: 'the archive tries what no layer may do: do not trust its source' },
  3: { code: 'ERR_JUBAKO_LIMIT_EXCEEDED', hint: 'if you trust the archive, raise the limit' },
  4: { code: 'ERR_JUBAKO_SYSTEM', hint: undefined },
  5: { code: 'ERR_JUBAKO_UNSUPPORTED', hint: undefined },
}

/** `kFault`: why the worker stopped. */
export function decodeFault(payload: Buffer, doing = 'cannot unpack the layer'): JubakoError {
  let at = 0
  const number = () => {
    at += 4
    return payload.readUInt32LE(at - 4)
  }
  const text = () => {
    const size = number()
    at += size
    return payload.toString('utf8', at - size, at)
  }
  const kind = kinds[number()] ?? kinds[4]!
  const errno = number() | 0
  const [call, entry, reason] = [text(), text(), text()]
  const what = reason !== '' ? reason : `${call}: ${errnoName(errno)}`
  return new JubakoError(
    kind.code,
    `${doing}: ${entry === '' ? '' : `entry '${printable(entry)}': `}${printable(what)}`,
    {
      hint: errno === 28 ? 'the disk is full' : kind.hint,
      path: entry === '' ? undefined : entry,
      ...(errno !== 0 && { errno, errnoName: errnoName(errno), syscall: call }),
    },
  )
}

/** Names come from the archive: control characters must not reach a terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}
