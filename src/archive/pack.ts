import { type FileHandle, open } from 'node:fs/promises'
import { invalidArgument, JubakoError } from '../errors/index.js'
import { decodeFailure, Frame, nativeError, startInit } from '../native/index.js'
import { decodeFault } from './frames.js'
import { encodePackOrders, type PackOrders } from './pack-plan.js'

/** How the bytes that go out are compressed. */
export interface PackOutput {
  /** Gets the stream; a file or a pipe, stays the caller's. Without it the stream is only hashed. */
  output?: number
  /** Of what goes to `output`. Default `none`. */
  compression?: 'none' | 'gzip' | 'zstd'
  /** The format's own. Default 6 for gzip (of 12), 3 for zstd (of 19). */
  level?: number
  signal?: AbortSignal | undefined
}

export interface PackLayerOptions extends PackOutput {
  /** Absolute path of a layer: an overlay upper, or what `unpackLayer` made. */
  directory: string
  /** Default false: what changes meanwhile is a failure. Otherwise it may be in the stream in any state. */
  tolerant?: boolean
}

export interface PackedLayer {
  /** sha256 of the tar stream. */
  diffId: string
  /** Bytes of the tar stream. */
  size: number
  /** sha256 of what went to the output; the diffID without compression. */
  digest: string
  /** Bytes that went to the output. */
  written: number
  entries: number
  /** Bytes of all files. */
  fileBytes: number
}

/**
 * Makes a layer's canonical tar stream: the same bytes for the same files, whenever and wherever it is made
 * (docs/decisions/canonical-layers.md).
 *
 * @throws JubakoError ERR_JUBAKO_UNSUPPORTED for what no layer can hold, naming it; ERR_JUBAKO_ABORTED; ERR_JUBAKO_SYSTEM
 */
export async function packLayer(options: PackLayerOptions): Promise<PackedLayer> {
  const directory = await open(options.directory, 'r')
  try {
    return await pack({ form: 'layer', hash: true, tolerant: options.tolerant ?? false }, options, directory)
  } finally {
    await directory.close()
  }
}

export interface PackTreeOptions extends PackOutput {
  output: number
  /** The tree: absolute path of a directory, or those of an overlay, topmost first. */
  source: string | readonly string[]
  /** Empty directory, needed for an overlay before kernel 6.5. */
  scratch?: string
  /** What is packed, as a path in the tree. Default: everything. */
  path?: string
  /** Whether a last symbolic link in `path` is followed. Default false. */
  follow?: boolean
  /** Name of `path` in the archive. Default: it has no entry of its own, only what is in it. */
  name?: string
}

/**
 * Makes a tar stream of files as they are. What changes meanwhile may be in it in any state; the stream stays well formed.
 *
 * @throws JubakoError ERR_JUBAKO_ABORTED, ERR_JUBAKO_SYSTEM
 */
export async function packTree(options: PackTreeOptions): Promise<Omit<PackedLayer, 'diffId'>> {
  const { source, scratch = '', path = '', follow = false, name = '' } = options
  const shape = { form: 'tree', hash: false, tolerant: true, scratch, path, follow, name } as const
  const sources = typeof source === 'string' ? [source] : source
  if (sources.length > 1) return pack({ ...shape, lowers: sources }, options, undefined)
  if (sources[0] === undefined) throw invalidArgument('a tree needs at least one directory')
  const directory = await open(sources[0], 'r')
  try {
    return await pack(shape, options, directory)
  } finally {
    await directory.close()
  }
}

const defaultLevels = { none: 0, gzip: 6, zstd: 3 } as const

async function pack(
  shape: Pick<PackOrders, 'form' | 'hash' | 'tolerant'> & Partial<PackOrders>,
  options: PackOutput,
  directory: FileHandle | undefined,
): Promise<PackedLayer> {
  const { signal, output, compression = 'none' } = options
  if (signal?.aborted) throw aborted(signal)
  let result: PackedLayer | undefined
  let failure: JubakoError | undefined
  const orders = encodePackOrders({
    compression,
    level: options.level ?? defaultLevels[compression],
    hasOutput: output !== undefined,
    lowers: [],
    scratch: '',
    path: '',
    follow: false,
    name: '',
    ...shape,
  })
  const what = shape.form === 'layer' ? 'cannot pack the layer' : 'cannot pack the files'
  const init = await startInit(
    'pack',
    orders,
    [...(directory === undefined ? [] : [directory.fd]), ...(output === undefined ? [] : [output])],
    (type, payload) => {
      if (type === Frame.result) result = decodePacked(payload)
      else if (type === Frame.fault) failure = decodeFault(payload, what)
      else if (type === Frame.failed) failure = nativeError(decodeFailure(payload), what)
    },
  )
  const abort = () => init.kill()
  signal?.addEventListener('abort', abort, { once: true })
  // It may have been aborted while the worker was started.
  if (signal?.aborted) abort()
  const exit = await init.exited
  signal?.removeEventListener('abort', abort)
  if (signal?.aborted) throw aborted(signal)
  if (failure !== undefined) throw failure
  if (result === undefined || exit.code !== 0) {
    throw new JubakoError('ERR_JUBAKO_SYSTEM', `${what}: the worker ended by signal ${exit.signal ?? 'none'}`)
  }
  return result
}

/** `kResult` of native/init/pack.cc. */
function decodePacked(payload: Buffer): PackedLayer {
  const number = (at: number) => Number(payload.readBigUInt64LE(at))
  return {
    diffId: `sha256:${payload.toString('hex', 0, 32)}`,
    digest: `sha256:${payload.toString('hex', 32, 64)}`,
    size: number(64),
    written: number(72),
    entries: number(80),
    fileBytes: number(88),
  }
}

const aborted = (signal: AbortSignal): JubakoError =>
  new JubakoError('ERR_JUBAKO_ABORTED', 'packing was aborted', { cause: signal.reason })
