import { addon } from './addon.js'
import { errnoNumber, isNativeFailure, nativeError } from './failure.js'

/** What `native/napi/mounts.cc` carries out. */
export interface OverlayPlan {
  /** Absolute, topmost first. */
  lowers: readonly string[]
  upper: string | null
  work: string | null
  options: readonly string[]
  /** Directory to mount on. */
  target: string
}

const MOUNT_ATTR_RDONLY = 1

/** @throws JubakoError ERR_JUBAKO_SYSTEM with the kernel's own words, ERR_JUBAKO_UNSUPPORTED before Linux 6.5 */
export async function mountOverlay(plan: OverlayPlan): Promise<void> {
  const encoded = Buffer.concat([
    strings(plan.lowers),
    text(plan.upper ?? ''),
    text(plan.work ?? ''),
    strings(plan.options),
    u32(plan.upper === null ? MOUNT_ATTR_RDONLY : 0),
    text(''),
    text(plan.target),
  ])
  await converted(addon().mountOverlay(encoded), `cannot mount an overlay on ${plan.target}`)
}

/** Takes a mount away from its place (`umount2(2)`, MNT_DETACH). Links are not followed. */
export async function unmount(target: string): Promise<void> {
  await converted(addon().unmount(target), `cannot unmount ${target}`)
}

async function converted(work: Promise<void>, what: string): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!isNativeFailure(error)) throw error
    const old = error.errno === errnoNumber('EOPNOTSUPP')
    throw nativeError(error, what, old ? { code: 'ERR_JUBAKO_UNSUPPORTED', hint: 'Linux 6.5 or newer can do so' } : {})
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u32(bytes.length), bytes, Buffer.alloc(1)])
}

function strings(values: readonly string[]): Buffer {
  return Buffer.concat([u32(values.length), ...values.map(text)])
}
