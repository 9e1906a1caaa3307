import { closeSync, constants, type FSWatcher, fstatSync, openSync, read, watch } from 'node:fs'
import { createGunzip, type Gunzip } from 'node:zlib'
import { Lines, type LogLine } from './log-line.js'

const CHUNK = 256 * 1024
/** Longest delay when the watch misses a change. */
const LOOK_AGAIN_MS = 1000

/** An open file of a log. */
interface LogFile {
  fd: number
  inode: bigint
  compressed: boolean
}

function openLog(path: string): LogFile | undefined {
  for (const compressed of [false, true]) {
    try {
      const fd = openSync(compressed ? `${path}.gz` : path, constants.O_RDONLY | constants.O_NOFOLLOW)
      return { fd, inode: fstatSync(fd, { bigint: true }).ino, compressed }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return undefined
}

/**
 * The files of a log, newest first, down to the one with the inode `until`. An open file stays readable whatever becomes of
 * its name, so nothing is lost to who opened it in time.
 */
function openFiles(path: string, until?: bigint): LogFile[] {
  const files: LogFile[] = []
  for (let i = 0; ; i++) {
    const file = openLog(i === 0 ? path : `${path}.${i}`)
    // The newest is missing for a moment while the log is rotated.
    if (file === undefined && i === 0) continue
    if (file === undefined) return files
    // Seen already: it was renamed while we looked.
    const known = files.some(({ inode }) => inode === file.inode)
    if (known || file.inode === until) closeSync(file.fd)
    else files.push(file)
    if (file.inode === until) return files
  }
}

function readChunk(fd: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK)
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, CHUNK, null, (error, size) => {
      if (error === null) resolve(buffer.subarray(0, size))
      else reject(error)
    })
  })
}

async function* chunksOf(file: LogFile): AsyncGenerator<Buffer> {
  if (!file.compressed) {
    for (let chunk = await readChunk(file.fd); chunk.length > 0; chunk = await readChunk(file.fd)) yield chunk
    return
  }
  const gunzip: Gunzip = createGunzip({ chunkSize: CHUNK })
  void (async () => {
    for (let chunk = await readChunk(file.fd); chunk.length > 0; chunk = await readChunk(file.fd)) gunzip.write(chunk)
    gunzip.end()
  })().catch((error: Error) => gunzip.destroy(error))
  // The lines are made of the chunks' own bytes.
  for await (const chunk of gunzip) yield Buffer.from(chunk as Buffer)
}

async function* linesOf(file: LogFile, lines: Lines): AsyncGenerator<LogLine[]> {
  for await (const chunk of chunksOf(file)) {
    const list = lines.push(chunk)
    if (list.length > 0) yield list
  }
}

/** Everything that is in the log now, oldest first, many lines at a time. */
export async function* readLog(path: string): AsyncGenerator<LogLine[]> {
  const files = openFiles(path)
  try {
    for (const file of files.toReversed()) yield* linesOf(file, new Lines())
  } finally {
    for (const { fd } of files) closeSync(fd)
  }
}

/**
 * The log from its beginning, then what is added, across rotations, until `ended` has settled and all was read. An empty
 * list says that all was read that was there at first.
 */
export async function* followLog(
  path: string,
  ended: Promise<unknown>,
  signal?: AbortSignal,
): AsyncGenerator<LogLine[]> {
  let over = false
  let wake: (() => void) | undefined
  // Oldest first; the first is being read.
  const files: LogFile[] = []
  // At once, also while what was read is still being taken: a file that is open is not lost to a rotation.
  const look = (): void => {
    try {
      files.push(...openFiles(path, files.at(-1)?.inode).reverse())
    } catch {
      // The log is gone: its container was removed.
      over = true
    }
    wake?.()
  }
  const finish = (): void => {
    over = true
    wake?.()
  }
  ended.then(finish, finish)
  signal?.addEventListener('abort', finish, { once: true })
  let watcher: FSWatcher | undefined
  try {
    watcher = watch(path.slice(0, path.lastIndexOf('/')), (_, name) => {
      // Appended to: only who waits has to know. Renamed, made: a rotation.
      if (name !== null && path.endsWith(`/${name}`)) look()
    })
    watcher.on('error', finish)
    look()
    let caughtUp = false
    for (let lines = new Lines(); ; ) {
      const last = over
      const file = files[0]
      if (file !== undefined) yield* linesOf(file, lines)
      if (signal?.aborted) return
      if (files.length > 1) {
        closeSync(files.shift()!.fd)
        lines = new Lines()
        continue
      }
      if (!caughtUp) yield []
      caughtUp = true
      if (last) {
        look()
        if (files.length > 1) continue
        return
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_AGAIN_MS)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
        if (over) wake()
      })
      wake = undefined
      look()
    }
  } finally {
    signal?.removeEventListener('abort', finish)
    watcher?.close()
    for (const { fd } of files.splice(0)) closeSync(fd)
  }
}
