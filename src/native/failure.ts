import { constants } from 'node:os'
import { type ErrorCode, JubakoError } from '../errors/index.js'
import type { NativeFailure } from './addon.js'
import { stepName } from './steps.js'

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]))

/** `ENOENT` for 2; `E<number>` for one that Node has no name for. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`
}

/** The number of an errno's name on this system. */
export function errnoNumber(name: keyof typeof constants.errno): number {
  return constants.errno[name]
}

/** Decodes a `Failure` (native/sys/failure.h) from a frame. */
export function decodeFailure(payload: Buffer): NativeFailure {
  const text = (from: number, size: number) => {
    const end = payload.indexOf(0, from)
    return payload.toString('utf8', from, end < 0 || end > from + size ? from + size : end)
  }
  return {
    errno: payload.readInt32LE(0),
    op: payload.readInt32LE(4),
    syscall: text(8, 24),
    path: text(32, 476),
    detail: payload.readUInt32LE(508),
  }
}

/** True for what a rejected native promise carries. */
export function isNativeFailure(value: unknown): value is NativeFailure {
  return typeof value === 'object' && value !== null && 'errno' in value && 'syscall' in value && 'op' in value
}

/** Makes the error of a failed native operation. `what` begins the message: "cannot start the container". */
export function nativeError(
  failure: NativeFailure,
  what: string,
  details: { code?: ErrorCode; hint?: string | undefined; reason?: string | undefined } = {},
): JubakoError {
  const step = failure.op === 0 ? undefined : stepName(failure.op)
  const about = failure.path === '' ? '' : ` '${failure.path}'`
  const during = step === undefined ? '' : ` (step ${step})`
  return new JubakoError(
    details.code ?? (step === undefined ? 'ERR_JUBAKO_SYSTEM' : 'ERR_JUBAKO_SETUP'),
    `${what}: ${details.reason ?? `${errnoName(failure.errno)}: ${failure.syscall}${about}`}${during}`,
    {
      errno: failure.errno,
      errnoName: errnoName(failure.errno),
      syscall: failure.syscall,
      path: failure.path === '' ? undefined : failure.path,
      step,
      hint: details.hint,
    },
  )
}
