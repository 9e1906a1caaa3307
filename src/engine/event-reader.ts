import { watch } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { decodeEvent, type EventJournal } from './event-journal.js'
import type { EngineEvent } from './event-types.js'

const CHUNK = 64 * 1024

const openOrNone = (path: string): Promise<FileHandle | undefined> => open(path, 'r').catch(() => undefined)
const inodeOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ ino }) => ino,
    () => undefined,
  )

/** One file of the journal, read line by line as it grows. */
class Reader {
  #rest = ''

  private constructor(
    private readonly file: FileHandle,
    readonly inode: number,
  ) {}

  static async open(path: string): Promise<Reader | undefined> {
    const file = await openOrNone(path)
    return file === undefined ? undefined : new Reader(file, (await file.stat()).ino)
  }

  /** What is there now beyond what was read, without what is older than `since`. */
  async *read(since: bigint): AsyncGenerator<EngineEvent> {
    const chunks: Buffer[] = []
    for (;;) {
      const { bytesRead, buffer } = await this.file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, null)
      if (bytesRead === 0) break
      chunks.push(buffer.subarray(0, bytesRead))
    }
    // Lines are written whole, so a chunk that ends the file ends a line.
    const lines = (this.#rest + Buffer.concat(chunks).toString()).split('\n')
    this.#rest = lines.pop() as string
    for (const line of lines) {
      const event = decodeEvent(line, since)
      if (event !== undefined) yield event
    }
  }

  close(): Promise<void> {
    return this.file.close()
  }
}

/** The file before the current one and the current one, as they were at one moment. */
async function openBoth(path: string): Promise<Reader[]> {
  for (;;) {
    const current = await Reader.open(path)
    const older = await Reader.open(`${path}.1`)
    // Renamed in between: the same file twice.
    const same = current !== undefined && older?.inode === current.inode
    if (!same) return [older, current].filter((reader) => reader !== undefined)
    await current.close()
    await older?.close()
  }
}

/** Everything in the journal, oldest first. */
export async function* readJournal({ path }: EventJournal, since: bigint): AsyncGenerator<EngineEvent> {
  for (const reader of await openBoth(path)) {
    try {
      yield* reader.read(since)
    } finally {
      await reader.close()
    }
  }
}

/** The journal from `since` on, then what is added, until `signal` aborts. Nothing wakes up while nothing is added. */
export async function* followJournal(
  { directory, path }: EventJournal,
  since: bigint,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent> {
  let changed = false
  let wake: (() => void) | undefined
  const nudge = () => {
    changed = true
    wake?.()
  }
  // Watched before the first read, so that no line falls in between.
  const watcher = watch(directory, nudge)
  signal.addEventListener('abort', nudge)
  let readers = await openBoth(path)
  try {
    while (!signal.aborted) {
      changed = false
      yield* drain(readers, since)
      const next = await follow(readers, path)
      if (next !== undefined) {
        readers = next
        continue
      }
      if (!changed && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
    yield* drain(readers, since)
  } finally {
    watcher.close()
    signal.removeEventListener('abort', nudge)
    for (const reader of readers) await reader.close()
  }
}

async function* drain(readers: readonly Reader[], since: bigint): AsyncGenerator<EngineEvent> {
  for (const reader of readers) yield* reader.read(since)
}

/** When the newest of the files is not the current one any more: those to go on with, the older ones closed. */
async function follow(readers: readonly Reader[], path: string): Promise<Reader[] | undefined> {
  const newest = readers.at(-1)
  const inode = await inodeOf(path)
  if (inode === undefined || inode === newest?.inode) return undefined
  const files = await openBoth(path)
  // The one that was read to its end may be the one before now: it is kept, for what was added to it last.
  const at = files.findIndex((reader) => reader.inode === newest?.inode)
  const next = files.map((reader, i) => (i === at ? (newest as Reader) : reader))
  for (const reader of [...readers, ...files]) if (!next.includes(reader)) await reader.close()
  return next
}
