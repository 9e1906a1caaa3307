/** Jobs on files that read or write a stream, in whatever root. */
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { invalidArgument } from '../errors/index.js'
import { closeFd, openPipe } from '../native/index.js'
import { decodeList, type FileJob, runFileJob } from '../runtime/index.js'
import type { CopyInOptions, FileEntry, WriteFileOptions } from './container-types.js'
import { fileArchive } from './file-archive.js'

export type Root = FileJob['root']
export type WithRoot = <T>(work: (root: Root) => Promise<T>) => Promise<T>
/** Gives an error its words. */
export type Named = <T>(work: Promise<T>) => Promise<T>

export function unpackAt(
  root: Root,
  stream: number,
  path: string,
  options: CopyInOptions,
  what: string,
): Promise<Buffer> {
  const { overwriteKinds = false, owners = true, signal } = options
  return runFileJob({ kind: 'unpack', root, stream, path, keepKinds: !overwriteKinds, owners, signal }, what)
}

export async function withDirectory<T>(path: string, work: (root: Root) => Promise<T>): Promise<T> {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    return await work({ directory })
  } finally {
    closeSync(directory)
  }
}

/** What a job writes to its descriptor, as a stream that fails when the job does. */
export function readJob(job: (fd: number) => Promise<unknown>): Readable {
  const [read, write] = openPipe()
  const done = job(write).finally(() => closeFd(write))
  done.catch(() => {})
  const socket = new Socket({ fd: read, readable: true, writable: false })
  const stream = new Readable({
    read: () => void socket.resume(),
    destroy: (error, callback) => {
      socket.destroy()
      callback(error)
    },
  })
  socket.on('data', (chunk: Buffer) => {
    if (!stream.push(chunk)) socket.pause()
  })
  socket.on('error', (error) => stream.destroy(error))
  socket.on('end', () => {
    done.then(
      () => stream.push(null),
      (error: unknown) => stream.destroy(error as Error),
    )
  })
  socket.pause()
  return stream
}

/** Gives a job a stream to read. */
export async function feedJob(from: Readable, job: (fd: number) => Promise<unknown>): Promise<void> {
  const [ours, theirs] = openPipe().reverse() as [number, number]
  const socket = new Socket({ fd: ours, readable: false, writable: true })
  let broken: unknown
  const feeding = pipeline(from, socket).catch((error: unknown) => {
    // The worker went first: why is its own to say.
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') broken = error
  })
  try {
    await job(theirs)
  } catch (error) {
    socket.destroy()
    throw broken ?? error
  } finally {
    closeFd(theirs)
  }
  socket.destroy()
  await feeding
  if (broken !== undefined) throw broken
}

const contentOf = (kind: 'read' | 'list', withRoot: WithRoot, path: string, named: Named, what: string) =>
  buffer(readJob((stream) => named(withRoot((root) => runFileJob({ kind, root, stream, path }, what)))))

export const readIn = (withRoot: WithRoot, path: string, named: Named, what: string): Promise<Buffer> =>
  contentOf('read', withRoot, path, named, what)

export async function listIn(withRoot: WithRoot, path: string, named: Named, what: string): Promise<FileEntry[]> {
  return decodeList(await contentOf('list', withRoot, path, named, what))
}

/** A file to be written, as an archive and where to unpack it. */
export function writing(
  path: string,
  data: string | Uint8Array,
  options: WriteFileOptions,
): { directory: string; archive: Readable } {
  const whole = posix.resolve('/', path)
  if (whole === '/' || /\/\.?$/.test(path)) throw invalidArgument(`${path} does not name a file`)
  const directory = options.parents ? '/' : posix.dirname(whole)
  const archive = fileArchive(posix.relative(directory, whole), Buffer.from(data as Uint8Array), options)
  return { directory, archive: Readable.from(archive) }
}
