import { closeSync, existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import { packTree } from '../archive/index.js'
import { isJubakoError, JubakoError } from '../errors/index.js'
import { closeFd, openPipe } from '../native/index.js'
import { overlay } from '../overlay/index.js'
import {
  type ContainerConfig,
  decodeFound,
  type FileJob,
  planJoinedRoot,
  planStoppedRoot,
  runFileJob,
} from '../runtime/index.js'
import type {
  ContainerFiles,
  CopyInOptions,
  CopyOutOptions,
  FileEntry,
  HostPlace,
  PathStat,
  WriteFileOptions,
} from './container-types.js'
import type { EngineContext } from './context.js'
import { feedJob, listIn, readIn, readJob, unpackAt, withDirectory, writing } from './file-jobs.js'
import { lockFiles } from './files-lock.js'
import { mountSources } from './mount-sources.js'
import { openNamespace } from './namespace.js'

const errnoOf = (error: unknown): string | undefined => (isJubakoError(error) ? error.errnoName : undefined)

/** A slash or `/.` at the end means what a link leads to. */
const namesDirectory = (path: string): boolean => /\/\.?$/.test(path)

/** Last component; `.` for `/a/.`. */
const archiveName = (path: string): string => (path.endsWith('/.') || /^\/*$/.test(path) ? '.' : basename(path))

type Root = FileJob['root']

/** The engine's {@link ContainerFiles}: every path is resolved by a jailed worker, by descriptors. */
export class FilesOf implements ContainerFiles {
  constructor(
    private readonly context: EngineContext,
    private readonly config: ContainerConfig,
  ) {}

  async stat(path: string): Promise<PathStat> {
    return this.#withRoot(async (root) => {
      const job: FileJob = { kind: 'find', root, path }
      const { size, mode, mtimeNano, target } = decodeFound(await this.#named(path, runFileJob(job, this.#what(path))))
      return { name: basename(path) || '/', size, mode, mtimeNano, linkTarget: target }
    })
  }

  async copyOut(path: string, options: CopyOutOptions = {}): Promise<{ stat: PathStat; stream: Readable }> {
    const stat = await this.stat(path)
    const stream = readJob((fd) => this.#withRoot((root) => this.#pack(root, fd, path, options)))
    this.#event('archive-path')
    return { stat, stream }
  }

  async copyIn(directory: string, archive: Readable, options: CopyInOptions = {}): Promise<void> {
    await feedJob(archive, (fd) => this.#withRoot((root) => this.#unpack(root, fd, directory, options)))
    this.#event('extract-to-dir')
  }

  async read(path: string): Promise<Buffer>
  async read(path: string, encoding: BufferEncoding): Promise<string>
  async read(path: string, encoding?: BufferEncoding): Promise<Buffer | string> {
    const bytes = await readIn(
      (work) => this.#withRoot(work),
      path,
      (work) => this.#named(path, work),
      this.#what(path),
    )
    return encoding === undefined ? bytes : bytes.toString(encoding)
  }

  async write(path: string, data: string | Uint8Array, options: WriteFileOptions = {}): Promise<void> {
    const { directory, archive } = writing(path, data, options)
    await this.copyIn(directory, archive, { overwriteKinds: false })
  }

  async list(path: string): Promise<FileEntry[]> {
    return listIn(
      (work) => this.#withRoot(work),
      path,
      (work) => this.#named(path, work),
      this.#what(path),
    )
  }

  async copyToHost(path: string, to: HostPlace, options: CopyOutOptions & CopyInOptions): Promise<number> {
    const size = await connect(
      (fd) => this.#withRoot((root) => this.#pack(root, fd, path, options)),
      (fd) =>
        withDirectory(to.directory, (root) =>
          unpackAt(root, fd, to.path ?? '', options, `cannot copy to ${to.directory}`),
        ),
    )
    this.#event('archive-path')
    return size
  }

  async copyFromHost(from: HostPlace, directory: string, options: CopyOutOptions & CopyInOptions): Promise<number> {
    const job = {
      kind: 'pack',
      path: from.path ?? '',
      follow: options.follow ?? false,
      name: options.name ?? '.',
    } as const
    const size = await connect(
      (fd) =>
        withDirectory(from.directory, (root) =>
          runFileJob({ ...job, root, stream: fd, signal: options.signal }, `cannot copy from ${from.directory}`),
        ),
      (fd) => this.#withRoot((root) => this.#unpack(root, fd, directory, options)),
    )
    this.#event('extract-to-dir')
    return size
  }

  async export(options: { signal?: AbortSignal } = {}): Promise<Readable> {
    const { upper, directory } = this.context.store.places.of(this.config.id)
    const stream = readJob((output) =>
      packTree({
        source: [upper, ...this.#layers()],
        scratch: directory,
        output,
        signal: options.signal,
      }),
    )
    this.#event('export')
    return stream
  }

  async #pack(root: Root, stream: number, path: string, options: CopyOutOptions): Promise<Buffer> {
    const follow = options.follow ?? namesDirectory(path)
    const job: FileJob = {
      kind: 'pack',
      root,
      stream,
      path,
      follow,
      name: options.name ?? archiveName(path),
      signal: options.signal,
    }
    return this.#named(path, runFileJob(job, this.#what(path)))
  }

  async #unpack(root: Root, stream: number, path: string, options: CopyInOptions): Promise<Buffer> {
    try {
      return await this.#named(path, unpackAt(root, stream, path, options, this.#what(path)))
    } catch (error) {
      if (errnoOf(error) === 'ENOTDIR' && isJubakoError(error) && error.path === path) {
        throw new JubakoError('ERR_JUBAKO_INVALID_ARGUMENT', 'extraction point is not a directory', {
          cause: error,
          path,
        })
      }
      if (errnoOf(error) === 'EROFS') {
        throw new JubakoError('ERR_JUBAKO_STATE', 'container rootfs is marked read-only', { cause: error, path })
      }
      throw error
    }
  }

  /** Docker's words for a path that is not there. */
  async #named<T>(path: string, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || (error as JubakoError).path !== path) throw error
      const message = `Could not find the file ${path} in container ${this.config.name}`
      throw new JubakoError('ERR_JUBAKO_NOT_FOUND', message, { cause: error, path })
    }
  }

  #what(path: string): string {
    return `cannot access ${path} in container ${this.config.name}`
  }

  #event(action: string): void {
    this.context.events.container(this.config, action)
  }

  #layers(): string[] {
    return this.config.layers.map((path) => (path.startsWith('/') ? path : `${this.context.root}/${path}`))
  }

  /** Of a running container its mount namespace, so that volumes are there; else its layers and what is bound into them. */
  async #withRoot<T>(work: (root: Root) => Promise<T>): Promise<T> {
    const paths = this.context.store.places.of(this.config.id)
    const open = () => openNamespace(this.context, this.config.id, 'mnt')
    let namespace = await open()
    let lock: number | undefined
    if (namespace === undefined) {
      lock = await lockFiles(paths, async () => {
        namespace = await open()
        return namespace !== undefined
      })
    }
    if (namespace !== undefined) {
      try {
        return await work({ steps: planJoinedRoot, fds: [namespace] })
      } finally {
        closeSync(namespace)
      }
    }
    try {
      // What is bound in may be gone from the host meanwhile: then there is nothing to see in it.
      const mounts = this.config.mounts.filter(
        (mount) => mount.type !== 'bind' || mount.createSource || existsSync(mount.source),
      )
      const config = { ...this.config, mounts }
      const sources = await mountSources(this.context, config)
      const root = overlay({ lowers: this.#layers(), upper: paths.upper, work: paths.work })
      return await work({ steps: planStoppedRoot(config, paths, root, sources), fds: [] })
    } finally {
      closeSync(lock!)
    }
  }
}

/** Runs two jobs with a pipe between them. Gives the bytes that went through. */
async function connect(from: (fd: number) => Promise<Buffer>, to: (fd: number) => Promise<Buffer>): Promise<number> {
  const [read, write] = openPipe()
  const packing = from(write).finally(() => closeFd(write))
  const unpacking = to(read).finally(() => closeFd(read))
  const [packed, unpacked] = await Promise.allSettled([packing, unpacking])
  // A reader that failed breaks the writer's pipe, and a writer that failed cuts the reader's archive short.
  const cut = unpacked.status === 'rejected' && isJubakoError(unpacked.reason, 'ERR_JUBAKO_INTEGRITY')
  if (packed.status === 'rejected' && (unpacked.status === 'fulfilled' || cut)) throw packed.reason
  if (unpacked.status === 'rejected') throw unpacked.reason
  return Number((packed as PromiseFulfilledResult<Buffer>).value.readBigUInt64LE(0))
}
