import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { FileLock } from '../content/index.js'
import { JubakoError } from '../errors/index.js'
import { removeTree } from '../native/storage.js'
import type { ChainId, DiffId, ImageId } from '../oci/index.js'
import type { LayerStore } from './layer-store.js'
import type { Layout } from './layout.js'

/** `snapshot.json`: a frozen writable layer. */
export interface SnapshotRecord {
  /** 32 hexadecimal digits. */
  key: string
  name?: string
  /** Milliseconds since the epoch. */
  createdAt: number
  /** The image below everything, and the chain ID of its stack; empty for an image without layers. */
  imageId: ImageId
  chainId: ChainId | ''
  /** Reference of the image, as the container was created with. */
  image: string
  /** Keys of the snapshots between the image and this one, topmost first. */
  below: string[]
  /** False for one that only containers, layers or other snapshots still need. */
  listed: boolean
  /** Known when an image was made of it. */
  diffId?: DiffId
  /** Bytes of the tar stream. */
  size?: number
  entries?: number
  /** Bytes of all files. */
  fileBytes?: number
}

const KEY = /^[0-9a-f]{32}$/

/** Writable layers of containers, frozen: immutable from then on, and the base of any number of others. */
export class SnapshotStore {
  readonly #layout: Layout

  constructor(layout: Layout) {
    this.#layout = layout
  }

  /** Absolute path of the frozen layer. */
  directory(key: string): string {
    return join(this.#layout.snapshots, key, 'diff')
  }

  /** Key of the snapshot that a path below the data root, or an absolute one, is the layer of. */
  keyOf(path: string): string | undefined {
    const match = /(?:^|\/)snapshots\/([0-9a-f]{32})\/diff$/.exec(path)
    return match === null || (path.startsWith('/') && path !== this.directory(match[1]!)) ? undefined : match[1]
  }

  read(key: string): SnapshotRecord | undefined {
    if (!KEY.test(key)) return undefined
    try {
      return JSON.parse(readFileSync(join(this.#layout.snapshots, key, 'snapshot.json'), 'utf8')) as SnapshotRecord
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  /** Every snapshot, listed or not, oldest first. */
  all(): SnapshotRecord[] {
    return readdirSync(this.#layout.snapshots)
      .flatMap((key) => this.read(key) ?? [])
      .sort((a, b) => a.createdAt - b.createdAt)
  }

  /**
   * A listed snapshot by name, key or unique beginning of a key.
   *
   * @throws JubakoError ERR_JUBAKO_NOT_FOUND
   */
  find(nameOrKey: string): SnapshotRecord {
    const listed = this.all().filter((record) => record.listed)
    const exact = listed.find(({ name, key }) => name === nameOrKey || key === nameOrKey)
    const matches = listed.filter(({ key }) => nameOrKey !== '' && key.startsWith(nameOrKey))
    const found = exact ?? (matches.length === 1 ? matches[0] : undefined)
    if (found !== undefined) return found
    throw new JubakoError('ERR_JUBAKO_NOT_FOUND', `No such snapshot: ${nameOrKey}`, { path: nameOrKey })
  }

  /**
   * Runs `act` while no snapshot is collected: whoever records that it needs one does so in here. The lock is shared.
   */
  async hold<T>(act: () => T): Promise<T> {
    const lock = await FileLock.acquire(this.#layout.collectLock, { mode: 'shared' })
    try {
      return act()
    } finally {
      lock.release()
    }
  }

  /** Makes an empty snapshot whose root has the attributes of `like`. Within {@link hold}. */
  make(record: Omit<SnapshotRecord, 'key' | 'createdAt'>, like: string): SnapshotRecord {
    const { name } = record
    if (name !== undefined && this.all().some((other) => other.listed && other.name === name)) {
      throw new JubakoError('ERR_JUBAKO_CONFLICT', `the snapshot name "${name}" is already in use`, {
        path: name,
        hint: 'remove that snapshot or choose another name',
      })
    }
    const made = { key: randomBytes(16).toString('hex'), createdAt: Date.now(), ...record }
    const draft = join(this.#layout.snapshots, `.tmp-${made.key}`)
    const { mode, uid, gid } = statSync(like)
    mkdirSync(join(draft, 'diff'), { recursive: true, mode: 0o700 })
    chownSync(join(draft, 'diff'), uid, gid)
    chmodSync(join(draft, 'diff'), mode & 0o7777)
    writeFileSync(join(draft, 'snapshot.json'), serialize(made), { mode: 0o600 })
    renameSync(draft, join(this.#layout.snapshots, made.key))
    return made
  }

  update(record: SnapshotRecord): void {
    const path = join(this.#layout.snapshots, record.key, 'snapshot.json')
    const temporary = `${path}.${randomBytes(4).toString('hex')}`
    writeFileSync(temporary, serialize(record), { mode: 0o600 })
    renameSync(temporary, path)
  }

  /**
   * Removes what nothing needs: not listed, no layer's files, below no snapshot that stays, and not in `inUse`. Called
   * with the collect lock held exclusively.
   */
  async collect(layers: LayerStore, inUse: Iterable<string>): Promise<void> {
    const names = readdirSync(this.#layout.snapshots)
    if (names.length === 0) return
    const needed = new Set(inUse)
    for (const hex of layers.list()) {
      const key = layers.read(`sha256:${hex}` as ChainId)?.snapshot
      if (key !== undefined) needed.add(key)
    }
    for (const { key, below } of this.#wanted(needed)) for (const one of [key, ...below]) needed.add(one)
    for (const name of names.filter((one) => !needed.has(one))) {
      const moved = join(this.#layout.trash, `layer-${randomBytes(12).toString('hex')}`)
      renameSync(join(this.#layout.snapshots, name), moved)
    }
  }

  /** Those that are listed or among `keys`: with the image's layers below them. */
  roots(keys: Iterable<string>): { layers: ChainId[]; images: ImageId[] } {
    const wanted = this.#wanted(new Set(keys))
    return {
      layers: wanted.flatMap(({ chainId }) => (chainId === '' ? [] : [chainId])),
      images: wanted.map(({ imageId }) => imageId),
    }
  }

  #wanted(keys: ReadonlySet<string>): SnapshotRecord[] {
    return this.all().filter(({ listed, key }) => listed || keys.has(key))
  }

  /** As {@link collect}, taking the lock and deleting. */
  async collectAlone(layers: LayerStore, inUse: () => Iterable<string>): Promise<void> {
    const lock = await FileLock.acquire(this.#layout.collectLock)
    const before = new Set(readdirSync(this.#layout.trash))
    try {
      await this.collect(layers, inUse())
    } finally {
      lock.release()
    }
    for (const name of readdirSync(this.#layout.trash)) {
      if (name.startsWith('layer-') && !before.has(name)) await removeTree(join(this.#layout.trash, name))
    }
  }
}

function serialize(record: SnapshotRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`
}
