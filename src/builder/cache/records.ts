import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { FileLock } from '../../content/index.js'
import { removeTree, renameNoReplace } from '../../native/index.js'
import type { HashedLayer } from '../types.js'

/** What one step made, found by the digest of everything that went into it. */
export interface StepRecord {
  key: string
  /** Directory of the layer below `layers/`; empty: the step changed no file. */
  layer: string
  /** Once an image has the layer it lives there. */
  chainId?: string
  hashed?: HashedLayer
  kind: 'run' | 'copy' | 'workdir'
  /** The instruction, for people. */
  description: string
  /** Milliseconds since the epoch. */
  createdAt: number
  /** Boot in which it was written; absent: it is on the disk. */
  boot?: string
}

/** The steps that were built, on disk: small records and one directory per layer. Shared by all builds of a data root. */
export class StepCache {
  readonly steps: string
  readonly layers: string
  readonly tmp: string
  readonly mounts: string
  readonly #trash: string
  readonly #uses: string
  readonly #boot: string
  readonly #imageLayer: (chainId: string) => string | undefined

  constructor(root: string, imageLayer: (chainId: string) => string | undefined) {
    const at = (name: string) => join(root, 'build', name)
    this.steps = at('steps')
    this.layers = at('layers')
    this.tmp = at('tmp')
    this.mounts = at('mounts')
    this.#uses = at('uses')
    this.#trash = at('trash')
    this.#imageLayer = imageLayer
    this.#boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  }

  prepare(): void {
    if (existsSync(this.#trash)) return
    for (const path of [this.steps, this.layers, this.tmp, this.mounts, this.#uses, this.#trash]) {
      mkdirSync(path, { recursive: true, mode: 0o700 })
    }
  }

  /** The record of a step whose layer is here. */
  find(key: string): StepRecord | undefined {
    const record = this.#read(key)
    if (record === undefined) return undefined
    if (record.boot !== undefined && record.boot !== this.#boot) return undefined
    if (record.layer !== '' && this.layerPath(record) === undefined) return undefined
    return record
  }

  /** Absolute path of a step's layer, wherever it lives now. */
  layerPath(record: StepRecord): string | undefined {
    const own = join(this.layers, record.layer, 'diff')
    if (existsSync(own)) return own
    return record.chainId === undefined ? undefined : this.#imageLayer(record.chainId)
  }

  save(record: StepRecord): void {
    const path = this.#recordPath(record.key)
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 })
    renameSync(temporary, path)
  }

  /** A record that holds in this boot only, until {@link settle}. */
  add(record: StepRecord): void {
    this.save({ ...record, boot: this.#boot })
  }

  /** After a sync of the file system. */
  settle(records: readonly StepRecord[]): void {
    for (const record of records) {
      const { boot: _, ...rest } = this.#read(record.key) ?? record
      this.save({
        ...rest,
        ...(record.hashed && { hashed: record.hashed }),
        ...(record.chainId && { chainId: record.chainId }),
      })
    }
  }

  touch(key: string, now: number): void {
    try {
      utimesSync(this.#recordPath(key), now / 1000, now / 1000)
    } catch {
      // Pruned meanwhile.
    }
  }

  /** Takes a directory as the layer of a step. */
  keep(upper: string): string {
    const id = randomBytes(16).toString('hex')
    mkdirSync(join(this.layers, id), { mode: 0o700 })
    renameNoReplace(upper, join(this.layers, id, 'diff'))
    return id
  }

  all(): (StepRecord & { lastUsedAt: number })[] {
    if (!existsSync(this.steps)) return []
    return readdirSync(this.steps).flatMap((name) => {
      const key = /^([0-9a-f]{64})\.json$/.exec(name)?.[1]
      const record = key === undefined ? undefined : this.#read(key)
      if (record === undefined) return []
      return [{ ...record, lastUsedAt: statSync(join(this.steps, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }]
    })
  }

  /** Layers of images that the cache wants kept. */
  chainIds(): string[] {
    return this.all().flatMap(({ chainId }) => chainId ?? [])
  }

  async remove(record: StepRecord): Promise<void> {
    rmSync(this.#recordPath(record.key), { force: true })
    if (record.layer === '' || this.all().some(({ layer }) => layer === record.layer)) return
    await this.discard(join(this.layers, record.layer))
  }

  async discard(path: string): Promise<void> {
    const moved = join(this.#trash, randomBytes(12).toString('hex'))
    try {
      renameSync(path, moved)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    await removeTree(moved)
  }

  /** A directory that goes with its build. */
  scratch(): Scratch {
    for (;;) {
      const path = join(this.tmp, randomBytes(12).toString('hex'))
      const lock = FileLock.tryAcquire(`${path}.lock`)
      if (lock === undefined) continue
      mkdirSync(path, { mode: 0o700 })
      return new Scratch(this, path, lock)
    }
  }

  /** Marks layers as in use, so that pruning leaves them. */
  use(): CacheUse {
    for (;;) {
      const lock = FileLock.tryAcquire(join(this.#uses, `${randomBytes(12).toString('hex')}.lock`))
      if (lock !== undefined) return new CacheUse(lock)
    }
  }

  inUse(): Set<string> {
    const used = new Set<string>()
    for (const name of readdirSync(this.#uses)) {
      const path = join(this.#uses, name)
      const abandoned = FileLock.tryAcquire(path)
      if (abandoned !== undefined) {
        abandoned.releaseAndRemove()
        continue
      }
      for (const key of readFileSync(path, 'utf8').split('\n')) used.add(key)
    }
    return used
  }

  /** Removes what builds left that were killed. */
  async sweep(): Promise<void> {
    if (!existsSync(this.#trash)) return
    for (const name of readdirSync(this.tmp)) {
      if (!name.endsWith('.lock')) continue
      const lock = FileLock.tryAcquire(join(this.tmp, name))
      if (lock === undefined) continue
      await this.discard(join(this.tmp, name.slice(0, -5)))
      lock.releaseAndRemove()
    }
    for (const name of readdirSync(this.#trash)) await removeTree(join(this.#trash, name))
  }

  #recordPath(key: string): string {
    return join(this.steps, `${key}.json`)
  }

  #read(key: string): StepRecord | undefined {
    try {
      return JSON.parse(readFileSync(this.#recordPath(key), 'utf8')) as StepRecord
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined
      throw error
    }
  }
}

/** Keys that a living build works with. */
export class CacheUse {
  readonly #lock: FileLock

  constructor(lock: FileLock) {
    this.#lock = lock
  }

  add(key: string): void {
    writeSync(this.#lock.fd, `${key}\n`, null)
  }

  release(): void {
    this.#lock.releaseAndRemove()
  }
}

/** A temporary directory that is swept when its process dies. */
export class Scratch {
  readonly path: string
  readonly #cache: StepCache
  readonly #lock: FileLock
  #count = 0

  constructor(cache: StepCache, path: string, lock: FileLock) {
    this.#cache = cache
    this.path = path
    this.#lock = lock
  }

  /** A new directory in it. */
  directory(name = 'dir'): string {
    const path = join(this.path, `${name}-${this.#count++}`)
    mkdirSync(path, { mode: 0o755 })
    return path
  }

  async remove(): Promise<void> {
    await this.#cache.discard(this.path)
    this.#lock.releaseAndRemove()
  }
}
