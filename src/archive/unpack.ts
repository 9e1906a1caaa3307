import { type FileHandle, open } from 'node:fs/promises'
import { JubakoError } from '../errors/index.js'
import { decodeFailure, Frame, type InitProcess, nativeError, startInit } from '../native/index.js'
import { decodeFault, decodeResult, type UnpackResult } from './frames.js'
import { type Barriers, type Compression, defaultLimits, encodeOrders, type UnpackLimits } from './plan.js'

/** What is known of a file while it is being written. */
export interface Growth {
  /** Bytes that are there. */
  readonly bytes: number
  /** Calls the listener whenever there are more; one listener at a time. */
  follow(listener: ((bytes: number) => void) | undefined): void
}

export interface UnpackOptions {
  /** Open at the archive's first byte: a file, or a pipe that is still being filled. Stays the caller's. */
  fd: number
  /** Bytes that come from `fd`, when known; for the limit on the ratio. Default 0: unknown. */
  size?: number
  /** `fd` is a file that is still being written, up to `size` bytes. */
  growth?: Growth | undefined
  /** Absolute path of an empty directory. */
  target: string
  /** Default `detect`: the first bytes tell. `any`: no layer, it may be in xz or bzip2 too. */
  compression?: Compression
  limits?: Partial<UnpackLimits>
  /** For tests. */
  barriers?: Partial<Barriers>
  /** Bytes read from `fd` so far. */
  onProgress?: (bytesRead: number) => void
  signal?: AbortSignal | undefined
}

export interface UnpackedLayer extends UnpackResult {
  /** Directories, relative to the target, made without an entry of their own; parents first. The target is `.`. */
  implicitDirectories: string[]
}

/**
 * Unpacks one layer (image-spec, "Image Layer Filesystem Changeset"). Nothing outside of the target can change. On
 * failure the target is in any state and the caller's to remove.
 *
 * @throws JubakoError ERR_JUBAKO_INTEGRITY for a damaged or hostile archive, naming the entry; ERR_JUBAKO_LIMIT_EXCEEDED;
 *   ERR_JUBAKO_ABORTED; ERR_JUBAKO_SYSTEM
 */
export async function unpackLayer(options: UnpackOptions): Promise<UnpackedLayer> {
  const { signal } = options
  if (signal?.aborted) throw aborted(signal)
  const directory = await open(options.target, 'r')
  try {
    return await unpackInto(options, directory)
  } finally {
    await directory.close()
  }
}

async function unpackInto(options: UnpackOptions, directory: FileHandle): Promise<UnpackedLayer> {
  const { signal } = options
  const implicitDirectories: string[] = []
  let result: UnpackResult | undefined
  let failure: JubakoError | undefined
  const orders = encodeOrders(
    options.compression ?? 'detect',
    options.size ?? 0,
    { ...defaultLimits, ...options.limits },
    { jail: true, beneath: true, ...options.barriers },
    options.growth !== undefined,
  )
  const init = await startInit(
    'unpack',
    orders,
    [options.fd, directory.fd],
    (type, payload) => {
      if (type === Frame.result) result = decodeResult(payload)
      else if (type === Frame.implicit) implicitDirectories.push(payload.length === 0 ? '.' : payload.toString('utf8'))
      else if (type === Frame.progress) options.onProgress?.(Number(payload.readBigUInt64LE(0)))
      else if (type === Frame.fault) failure = decodeFault(payload)
      else if (type === Frame.failed) failure = nativeError(decodeFailure(payload), 'cannot unpack the layer')
    },
    options.target,
  )
  const abort = () => init.kill()
  signal?.addEventListener('abort', abort, { once: true })
  // It may have been aborted while the worker was started.
  if (signal?.aborted) abort()
  if (options.growth !== undefined) reportGrowth(init, options.growth, options.size ?? 0)
  const exit = await init.exited
  options.growth?.follow(undefined)
  signal?.removeEventListener('abort', abort)
  if (signal?.aborted) throw aborted(signal)
  if (failure !== undefined) throw failure
  if (result === undefined || exit.code !== 0) {
    throw new JubakoError(
      'ERR_JUBAKO_SYSTEM',
      `cannot unpack the layer: the worker ended by signal ${exit.signal ?? 'none'}`,
    )
  }
  return { ...result, implicitDirectories }
}

const GROWTH_STEP = 256 * 1024

function reportGrowth(init: InitProcess, growth: Growth, size: number): void {
  let told = -1
  const tell = (bytes: number) => {
    if (bytes - told < GROWTH_STEP && bytes < size) return
    told = bytes
    const payload = Buffer.allocUnsafe(8)
    payload.writeBigUInt64LE(BigInt(bytes))
    init.send(Frame.grown, payload)
  }
  growth.follow(tell)
  tell(growth.bytes)
}

const aborted = (signal: AbortSignal): JubakoError =>
  new JubakoError('ERR_JUBAKO_ABORTED', 'unpacking was aborted', { cause: signal.reason })
