import { decodeFault, defaultLimits } from '../archive/index.js'
import { JubakoError } from '../errors/index.js'
import { decodeFailure, encodeSteps, Frame, nativeError, type Step, startInit } from '../native/index.js'
import type { Mount } from '../overlay/index.js'
import type { ContainerConfig } from './config.js'
import { Clone } from './flags.js'
import type { ContainerPaths } from './paths.js'
import { userMountSteps } from './plan-mounts.js'
import type { MountSource } from './plan-volumes.js'

const jobs = { find: 0, pack: 1, unpack: 2, read: 3, list: 4 } as const

/** What the worker of native/init/files.cc is to do, and where. */
export interface FileJob {
  kind: keyof typeof jobs
  /**
   * The root: the steps that make a container's this process's own, with the descriptor they refer to; or an open
   * directory of the host.
   */
  root: { steps: readonly Step[]; fds: readonly number[] } | { directory: number }
  /** Gets or gives the archive. */
  stream?: number
  /** Resolved inside the root. */
  path: string
  /** pack: a last symbolic link in the path is followed. */
  follow?: boolean
  /** pack: name in the archive; empty: only what is in the path. */
  name?: string
  /** unpack: a directory does not give way to something else, nor something else to a directory. */
  keepKinds?: boolean
  /** unpack: false: everything belongs to root. */
  owners?: boolean
  signal?: AbortSignal | undefined
}

/** lstat(2) of a path in a container. */
export interface FoundPath {
  size: number
  /** st_mode. */
  mode: number
  /** Nanoseconds since the epoch. */
  mtimeNano: bigint
  /** Where a symbolic link leads in the end, absolute in the container; empty unless it is one. */
  target: string
}

/** The mount namespace of a running container; descriptor 0 is the namespace. */
export const planJoinedRoot: readonly Step[] = [['join-namespace', 0, BigInt(Clone.newMount), 'container']]

/** The root of a container that does not run, with what is bound into it. */
export function planStoppedRoot(
  config: ContainerConfig,
  paths: ContainerPaths,
  root: Mount,
  sources: ReadonlyMap<string, MountSource>,
): Step[] {
  const bound = config.mounts.filter(({ type }) => type !== 'tmpfs')
  return [
    ['root-propagation', BigInt(0x4000 | (1 << 18))],
    ['root-overlay', root.lowers, root.upper ?? '', root.work ?? '', root.options, 0, paths.directory],
    ['root-attach', paths.directory],
    ...userMountSteps(bound, sources),
    ['pivot-root'],
    ...(config.readonlyRootfs ? [['mount-readonly', '/'] as const] : []),
  ]
}

class Orders {
  readonly #parts: Buffer[] = []

  number(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32LE(value)
    this.#parts.push(bytes)
    return this
  }

  bytes(value: Uint8Array): this {
    this.number(value.length)
    this.#parts.push(Buffer.from(value), Buffer.alloc(1))
    return this
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value))
  }

  wide(value: number): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    this.#parts.push(bytes)
    return this
  }

  done(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

function encode(job: FileJob, roots: number): Buffer {
  const { maxBytes, maxEntries, maxRatio, ratioFloor } = defaultLimits
  return new Orders()
    .number(jobs[job.kind])
    .bytes('steps' in job.root ? encodeSteps(job.root.steps) : Buffer.alloc(0))
    .number(roots)
    .text(job.path)
    .number(Number(job.follow ?? false))
    .text(job.name ?? '')
    .number(Number(job.keepKinds ?? false))
    .number(Number(job.owners ?? true))
    .wide(maxBytes)
    .wide(maxEntries)
    .wide(maxRatio)
    .wide(ratioFloor)
    .done()
}

/**
 * Does one job on files in a jailed jubako-init.
 *
 * @param what begins the message of an error
 * @returns `find`: what was found; else the bytes of the archive
 * @throws JubakoError; of what was unpacked before, it stays
 */
export async function runFileJob(job: FileJob, what: string): Promise<Buffer> {
  const { signal, root } = job
  signal?.throwIfAborted()
  let result: Buffer | undefined
  let failure: JubakoError | undefined
  const roots = 'steps' in root ? root.fds : [root.directory]
  const init = await startInit(
    'files',
    encode(job, roots.length),
    [...roots, ...(job.stream === undefined ? [] : [job.stream])],
    (type, payload) => {
      if (type === Frame.result) result = Buffer.from(payload)
      else if (type === Frame.fault) failure = decodeFault(payload, what)
      else if (type === Frame.failed) failure = nativeError(decodeFailure(payload), what)
    },
  )
  const abort = () => init.kill()
  signal?.addEventListener('abort', abort, { once: true })
  const exit = await init.exited
  signal?.removeEventListener('abort', abort)
  if (signal?.aborted) throw new JubakoError('ERR_JUBAKO_ABORTED', `${what}: aborted`, { cause: signal.reason })
  if (failure !== undefined) throw failure
  if (result === undefined) {
    throw new JubakoError('ERR_JUBAKO_SYSTEM', `${what}: the worker ended by signal ${exit.signal ?? 'none'}`)
  }
  return result
}

/** An entry of a directory, as lstat(2) has it. */
export type ListedPath = Omit<FoundPath, 'target'> & { name: string }

const listedHead = 28

/** What a `list` wrote. */
export function decodeList(bytes: Buffer): ListedPath[] {
  const found: ListedPath[] = []
  for (let at = 0; at + listedHead <= bytes.length; ) {
    const end = at + listedHead + bytes.readUInt32LE(at + 24)
    found.push({
      name: bytes.toString('utf8', at + listedHead, end),
      size: Number(bytes.readBigUInt64LE(at)),
      mtimeNano: bytes.readBigInt64LE(at + 8) * 1_000_000_000n + BigInt(bytes.readUInt32LE(at + 16)),
      mode: bytes.readUInt32LE(at + 20),
    })
    at = end
  }
  return found
}

/** The result of a `find`. */
export function decodeFound(result: Buffer): FoundPath {
  return {
    size: Number(result.readBigUInt64LE(0)),
    mtimeNano: result.readBigInt64LE(8) * 1_000_000_000n + BigInt(result.readUInt32LE(16)),
    mode: result.readUInt32LE(20),
    target: result.toString('utf8', 24),
  }
}
