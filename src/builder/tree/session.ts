import { availableParallelism } from 'node:os'
import { JubakoError } from '../../errors/index.js'
import { decodeFailure, encodeFrame, errnoName, Frame, InitProcess, nativeError } from '../../native/index.js'
import { encodeRequest, encodeRoots, type TreeRequest, type TreeRoot, type TreeTarget } from './orders.js'

export interface TreeResult {
  /** sha256 of names, kinds, modes, owners and contents; only of a digest. */
  digest: string
  entries: number
  bytes: number
  /** Sources that are regular files. */
  files: number
}

/** A source that is not there, with what is beside it. */
export class MissingSource extends JubakoError {
  readonly source: string
  readonly names: string[]

  constructor(source: string, names: string[]) {
    super('ERR_JUBAKO_NOT_FOUND', `"${source}": not found`, { path: source })
    this.source = source
    this.names = names
  }
}

interface Waiting {
  resolve: (payload: Buffer) => void
  reject: (error: unknown) => void
}

const THREADS = Math.min(Math.max(availableParallelism(), 2), 8)

/**
 * A jailed worker on trees of files: it sees nothing but them, and they are walked by descriptors (role `copy` of
 * jubako-init). Requests are done one after the other.
 */
export class TreeSession {
  readonly #init: InitProcess
  readonly #waiting: Waiting[] = []
  #failure: unknown

  /** @param roots descriptors in it stay the caller's and may be closed when {@link spawned} */
  constructor(roots: readonly TreeRoot[], target?: TreeTarget) {
    const fds = roots.flatMap((root) => ('fd' in root ? [root.fd] : []))
    this.#init = new InitProcess('copy', fds, target?.upper ?? 'context')
    this.#init.onFrame = (type, payload) => this.#frame(type, payload)
    this.#init.sendPlan(encodeRoots(roots, target, THREADS))
    void this.#init.exited.then(() => {
      this.#failure ??= new JubakoError('ERR_JUBAKO_SYSTEM', 'the worker that copies files was killed')
      for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
    })
  }

  get spawned(): Promise<void> {
    return this.#init.spawned
  }

  async act(request: TreeRequest): Promise<TreeResult> {
    const payload = await this.#ask(request)
    if (payload.length < 56) return { digest: '', entries: 0, bytes: 0, files: 0 }
    return {
      digest: payload.toString('hex', 0, 32),
      entries: Number(payload.readBigUInt64LE(32)),
      bytes: Number(payload.readBigUInt64LE(40)),
      files: Number(payload.readBigUInt64LE(48)),
    }
  }

  /** The bytes of one file; undefined when it is not there. */
  async read(path: string): Promise<Buffer | undefined> {
    try {
      return Buffer.from(await this.#ask({ act: 'read', sources: [path] }))
    } catch (error) {
      if (error instanceof JubakoError && /^(ENOENT|ENOTDIR|ELOOP)$/.test(error.errnoName ?? '')) return undefined
      throw error
    }
  }

  /** Path of a file in the target that has some bytes in it; undefined: none has. */
  async search(wanted: Buffer): Promise<string | undefined> {
    return (await this.#ask({ act: 'search', wanted })).toString('utf8') || undefined
  }

  async close(): Promise<void> {
    this.#init.abandon()
    await this.#init.exited
  }

  /** Ends it whatever it is doing. */
  kill(): void {
    this.#init.kill()
  }

  #ask(request: TreeRequest): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure)
      this.#waiting.push({ resolve, reject })
      // A request is a frame as the plan was one.
      this.#init.control.write(encodeFrame(Frame.plan, encodeRequest(request)))
    })
  }

  #frame(type: number, payload: Buffer): void {
    if (type === Frame.failed) {
      this.#failure = nativeError(decodeFailure(payload), 'cannot work on the files')
      return
    }
    const waiting = this.#waiting.shift()
    if (type === Frame.result) waiting?.resolve(payload)
    else if (type === Frame.fault) waiting?.reject(decodeFault(payload))
  }
}

/** FaultKind of native/archive/fault.h. */
const kinds = { missing: 1, limit: 3, system: 4 } as const

function decodeFault(payload: Buffer): JubakoError {
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
  const kind = number()
  const errno = number() | 0
  const [call, entry, reason] = [text(), text(), text()]
  if (kind === kinds.missing)
    return new MissingSource(
      entry,
      reason.split('\n').filter((name) => name !== ''),
    )
  if (kind === kinds.system) {
    return new JubakoError('ERR_JUBAKO_SYSTEM', `${entry}: ${errnoName(errno)}: ${call}`, {
      errno,
      errnoName: errnoName(errno),
      syscall: call,
      path: entry,
      hint: errno === 28 ? 'the disk is full' : undefined,
    })
  }
  const code = kind === kinds.limit ? 'ERR_JUBAKO_LIMIT_EXCEEDED' : 'ERR_JUBAKO_INVALID_ARGUMENT'
  return new JubakoError(code, reason.startsWith('cannot') ? reason : `${entry}: ${reason}`, { path: entry })
}
