import { randomBytes } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { FileLock, syncDirectory } from '../content/index.js'
import { removeTree, renameNoReplace, syncFileSystem } from '../native/storage.js'
import { type ChainId, type DiffId, digestHex } from '../oci/index.js'
import { adoptAttributes } from './implicit.js'
import type { Layout } from './layout.js'
import type { UnpackedLayer } from './types.js'

/** `layer.json`: written last, so a layer that has it is complete. */
export interface LayerRecord {
  chainId: ChainId
  diffId: DiffId
  /** The stack below; absent for a lowest layer. */
  parent?: ChainId
  /** Bytes of all files. */
  size: number
  entries: number
  /** Key of the snapshot that has the layer's files: `diff` is a symbolic link to it then. */
  snapshot?: string
}

/** A layer being made: a directory of ours alone, below `ingest/`. */
export interface LayerDraft {
  chainId: ChainId
  /** Empty directory to unpack into. */
  diff: string
  directory: string
  lock: FileLock
  /** Something was unpacked into `diff` already; see {@link LayerStore.clear}. */
  touched: boolean
}

/** A draft with everything that its record says. */
export interface FinishedDraft {
  draft: LayerDraft
  diffId: DiffId
  unpacked: Omit<UnpackedLayer, 'diffId'>
  snapshot?: string
}

/** Unpacked layers, one directory per chain ID. */
export class LayerStore {
  readonly #layout: Layout

  constructor(layout: Layout) {
    this.#layout = layout
  }

  has(chainId: ChainId): boolean {
    return existsSync(join(this.#layout.layerPath(chainId), 'layer.json'))
  }

  /** Absolute path of a layer's files; undefined when it is not here. */
  pathOf(chainId: ChainId): string | undefined {
    return this.has(chainId) ? this.#layout.diffPath(chainId) : undefined
  }

  /** undefined when the layer is not here. */
  read(chainId: ChainId): LayerRecord | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#layout.layerPath(chainId), 'layer.json'), 'utf8')) as LayerRecord
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  /**
   * Begins to make a layer. One maker per layer over all processes; others wait here. Makers of several layers of one
   * image must begin them from the lowest up: then no two wait for each other.
   *
   * @returns undefined when the layer is here (by now)
   */
  async begin(
    chainId: ChainId,
    options: { signal?: AbortSignal | undefined; onWait?: () => void } = {},
  ): Promise<LayerDraft | undefined> {
    if (this.has(chainId)) return undefined
    const directory = join(this.#layout.ingest, `layer-${digestHex(chainId)}`)
    const lock = await FileLock.acquire(`${directory}.lock`, options)
    try {
      if (this.has(chainId)) {
        lock.releaseAndRemove()
        return undefined
      }
      await this.discard(directory)
      await this.#discardDamaged(chainId)
      const diff = join(directory, 'diff')
      mkdirSync(diff, { recursive: true, mode: 0o755 })
      return { chainId, diff, directory, lock, touched: false }
    } catch (error) {
      lock.releaseAndRemove()
      throw error
    }
  }

  /** Empties a draft. */
  async clear(draft: LayerDraft): Promise<void> {
    await this.discard(draft.diff)
    mkdirSync(draft.diff, { mode: 0o755 })
    draft.touched = false
  }

  /** Gives a draft up. */
  async abandon(draft: LayerDraft): Promise<void> {
    try {
      await this.discard(draft.directory)
    } finally {
      draft.lock.releaseAndRemove()
    }
  }

  /**
   * Makes drafts, lowest first, into layers: data on the disk first, then the names. After a crash at any moment each
   * is either whole or not there.
   *
   * @param stack chain IDs of the whole image, lowest first
   */
  async commit(drafts: readonly FinishedDraft[], stack: readonly ChainId[]): Promise<void> {
    if (drafts.length === 0) return
    const places = new Map(stack.map((chainId) => [chainId, this.directory(chainId)]))
    for (const { draft } of drafts) places.set(draft.chainId, draft.diff)
    for (const { draft, diffId, unpacked, snapshot } of drafts) {
      const below = stack.slice(0, stack.indexOf(draft.chainId)).reverse()
      adoptAttributes(
        draft.diff,
        unpacked.implicitDirectories,
        below.map((chainId) => places.get(chainId)!),
      )
      writeRecord(draft, {
        chainId: draft.chainId,
        diffId,
        ...(below[0] === undefined ? {} : { parent: below[0] }),
        size: unpacked.size,
        entries: unpacked.entries,
        ...(snapshot !== undefined && { snapshot }),
      })
    }
    await syncFileSystem(this.#layout.ingest)
    for (const { draft } of drafts) {
      // False when a layer of that name came in another way; then it is as good.
      if (!renameNoReplace(draft.directory, this.#layout.layerPath(draft.chainId))) await this.discard(draft.directory)
    }
    await syncDirectory(this.#layout.layers)
    for (const { draft } of drafts) draft.lock.releaseAndRemove()
  }

  /** Renames to the trash; {@link emptyTrash} deletes. The caller makes sure that nobody needs it. */
  trash(chainId: ChainId): void {
    this.#moveToTrash(this.#layout.layerPath(chainId))
  }

  /** Absolute path of the directory with a layer's files. */
  directory(chainId: ChainId): string {
    const path = this.#layout.diffPath(chainId)
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()
      ? join(this.#layout.layerPath(chainId), readlinkSync(path))
      : path
  }

  /** Lets a snapshot be the files of a draft. */
  fillFromSnapshot(draft: LayerDraft, key: string): void {
    rmdirSync(draft.diff)
    // The same from the draft's place as from the layer's.
    symlinkSync(`../../snapshots/${key}/diff`, draft.diff)
  }

  /** Chain IDs (as hex) of everything in the layer directory. */
  list(): string[] {
    return readdirSync(this.#layout.layers).filter((name) => /^[a-f0-9]{64,128}$/.test(name))
  }

  /** Removes a directory by way of the trash, so that no half of it is ever taken for a whole. */
  async discard(path: string): Promise<void> {
    const moved = this.#moveToTrash(path)
    if (moved !== undefined) await removeTree(moved)
  }

  async emptyTrash(): Promise<void> {
    for (const name of readdirSync(this.#layout.trash)) {
      if (name.startsWith('layer-')) await removeTree(join(this.#layout.trash, name))
    }
  }

  /** Removes drafts whose maker died. */
  async sweep(): Promise<void> {
    const names = readdirSync(this.#layout.ingest).filter((name) => name.startsWith('layer-'))
    for (const directory of new Set(names.map((name) => name.replace(/\.lock$/, '')))) {
      const path = join(this.#layout.ingest, directory)
      const lock = FileLock.tryAcquire(`${path}.lock`)
      if (lock === undefined) continue
      try {
        await this.discard(path)
      } finally {
        lock.releaseAndRemove()
      }
    }
  }

  /** A layer directory without a readable record is none. */
  async #discardDamaged(chainId: ChainId): Promise<void> {
    if (existsSync(this.#layout.layerPath(chainId))) await this.discard(this.#layout.layerPath(chainId))
  }

  #moveToTrash(path: string): string | undefined {
    const moved = join(this.#layout.trash, `layer-${randomBytes(12).toString('hex')}`)
    try {
      renameSync(path, moved)
      return moved
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
}

function writeRecord(draft: LayerDraft, record: LayerRecord): void {
  writeFileSync(join(draft.directory, 'layer.json'), `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 })
}
