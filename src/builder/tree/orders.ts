import type { ChmodOption } from '../../dockerfile/index.js'

/** Writer of the flat form that native/sys/bytes.h reads. */
class Writer {
  readonly #parts: Buffer[] = []

  u32(value: number): this {
    const bytes = Buffer.allocUnsafe(4)
    bytes.writeUInt32LE(value >>> 0)
    this.#parts.push(bytes)
    return this
  }

  u64(value: bigint): this {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
    this.#parts.push(bytes)
    return this
  }

  bytes(value: Buffer): this {
    this.u32(value.length)
    this.#parts.push(value, Buffer.alloc(1))
    return this
  }

  text(value: string): this {
    return this.bytes(Buffer.from(value))
  }

  texts(values: readonly string[]): this {
    this.u32(values.length)
    for (const value of values) this.text(value)
    return this
  }

  done(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** A tree that is read: a directory that was opened, or a stack of layers, topmost first. */
export type TreeRoot = { fd: number } | { layers: readonly string[] }

/** What is written to: layers with a writable one over them; without layers a plain directory. */
export interface TreeTarget {
  layers: readonly string[]
  upper: string
  work: string
}

/** `open_roots` of native/init/copy.cc. */
export function encodeRoots(roots: readonly TreeRoot[], target: TreeTarget | undefined, threads: number): Buffer {
  const out = new Writer().u32(threads).u32(roots.length)
  let passed = 0
  for (const root of roots) {
    if ('fd' in root) out.u32(0).u32(passed++)
    else out.u32(1).texts(root.layers)
  }
  if (target === undefined) return out.u32(0).done()
  return out.u32(1).texts(target.layers).text(target.upper).text(target.work).done()
}

const acts = { digest: 0, copy: 1, mkdir: 2, read: 3, clamp: 4, search: 5 } as const
const flags = { wildcards: 1, parents: 2, intoTarget: 4, noOwner: 8, replace: 16 } as const
const actions = { '=': 0, '+': 1, '-': 2 } as const
const keep = 0xffffffff

/** One act; the fields of native/copy/request.h. */
export interface TreeRequest {
  act: keyof typeof acts
  /** Index of the tree. Default 0. */
  root?: number
  sources?: readonly string[]
  /** Sources are patterns (Go's filepath.Match for each element). */
  wildcards?: boolean
  parents?: boolean
  /** The target is a directory whatever is there. */
  intoTarget?: boolean
  /** Owners of the sources count for nothing: all is root's. */
  noOwner?: boolean
  /** What is in the way and of another kind goes, as when an archive is unpacked. */
  replace?: boolean
  /** Patterns of `.dockerignore`. */
  ignores?: readonly string[]
  excludes?: readonly string[]
  target?: string
  /** `user[:group]`, looked up in the target. */
  owner?: string
  chmod?: ChmodOption | undefined
  /** Of a search: the bytes that are looked for. */
  wanted?: Buffer
  /** Seconds since the epoch: later times become this. */
  latest?: number | undefined
}

export function encodeRequest(request: TreeRequest): Buffer {
  let bits = 0
  for (const name of Object.keys(flags) as (keyof typeof flags)[]) if (request[name]) bits |= flags[name]
  const { chmod } = request
  return new Writer()
    .u32(acts[request.act])
    .u32(request.root ?? 0)
    .u32(bits)
    .texts(request.sources ?? [])
    .texts(request.ignores ?? [])
    .texts(request.excludes ?? [])
    .text(request.target ?? '')
    .text(request.owner ?? '')
    .u32(chmod !== undefined && 'mode' in chmod ? chmod.mode : keep)
    .bytes(request.wanted ?? encodeChanges(chmod))
    .u64(request.latest === undefined ? -1n : BigInt(request.latest))
    .done()
}

function encodeChanges(chmod: ChmodOption | undefined): Buffer {
  if (chmod === undefined || 'mode' in chmod) return Buffer.alloc(0)
  const out = new Writer()
  for (const { who, action, permissions, conditional, special } of chmod.changes) {
    out
      .u32(who)
      .u32(actions[action])
      .u32(permissions)
      .u32(conditional ? 1 : 0)
      .u32(special)
  }
  return out.done()
}
